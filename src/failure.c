#include "failure.h"
#include "head.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <openssl/x509_vfy.h>

enum http_code failure_code(CURLcode code) {
  switch (code) {
  case CURLE_OK:
    return HTTP_DONE;
  case CURLE_OPERATION_TIMEDOUT:
    return HTTP_TIMEOUT;
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_INVALIDCERTSTATUS:
  case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
  case CURLE_USE_SSL_FAILED:
    return HTTP_TLS;
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CRL_BADFILE:
  case CURLE_URL_MALFORMAT:
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_NOT_BUILT_IN:
  case CURLE_BAD_FUNCTION_ARGUMENT:
  case CURLE_FAILED_INIT:
  case CURLE_UNKNOWN_OPTION:
    return HTTP_CONFIG;
  case CURLE_WRITE_ERROR:
  case CURLE_FILESIZE_EXCEEDED:
  case CURLE_BAD_CONTENT_ENCODING:
  case CURLE_WEIRD_SERVER_REPLY:
    return HTTP_PROTOCOL;
  case CURLE_OUT_OF_MEMORY:
    return HTTP_NO_MEMORY;
  default:
    return HTTP_NETWORK;
  }
}

/* Whether libcurl had a connection and began to send the request. A later failure is not the fault
 * of a setting. */
static bool was_sent(CURL *easy) {
  curl_off_t prepared = 0;
  return curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &prepared) == CURLE_OK &&
         prepared > 0;
}

/* Whether libcurl's message is about an idle connection that it closed before. Only a failure to
 * send or to receive has this message itself. */
static bool is_of_another(const char *words) {
  return strncmp(words, "Send failure", strlen("Send failure")) == 0;
}

#define TOO_LARGE 100 /* CURLE_TOO_LARGE, since 8.6 */

static bool is_head_too_large(CURLcode code, const char *words) {
  return (int)code == TOO_LARGE || strstr(words, "Too large response headers") ||
         (code == CURLE_WEIRD_SERVER_REPLY && !words[0]);
}

/* Some codes of libcurl are ambiguous. If the peer closes the connection during the handshake, the
 * network is at fault and not the certificate: only OpenSSL's message shows it. */
static enum http_code refined_code(CURL *easy, CURLcode code, const char *words) {
  if (code == CURLE_SSL_CONNECT_ERROR &&
      (strstr(words, "SYSCALL") || strstr(words, "unexpected eof") ||
       strstr(words, "reset by peer") || is_of_another(words)))
    return HTTP_NETWORK;
  if (code == CURLE_COULDNT_RESOLVE_PROXY && strstr(words, "syntax"))
    return HTTP_CONFIG; /* the proxy's address is invalid; an unknown name is HTTP_NETWORK */
  if (strstr(words, "chunked-encoding"))
    return HTTP_PROTOCOL;
  const enum http_code plain = failure_code(code);
  return plain == HTTP_CONFIG && was_sent(easy) ? HTTP_PROTOCOL : plain;
}

/* Returns the cause that OpenSSL gives for refusing a certificate (X509_V_ERR_*). */
static enum http_cause certificate_cause(CURL *easy) {
  long verdict = 0;
  long proxy_verdict = 0;
  curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
  curl_easy_getinfo(easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &proxy_verdict);
  switch (verdict ? verdict : proxy_verdict) {
  case X509_V_ERR_UNSPECIFIED: /* libcurl refused the host name before it asked OpenSSL */
    return HTTP_CAUSE_HOST;
  case X509_V_ERR_CERT_NOT_YET_VALID:
    return HTTP_CAUSE_NOT_YET_VALID;
  case X509_V_ERR_CERT_HAS_EXPIRED:
    return HTTP_CAUSE_EXPIRED;
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    return HTTP_CAUSE_CA;
  default:
    return HTTP_CAUSE_UNKNOWN;
  }
}

/* Whether a transfer timed out while it waited for a connection of the pool. libcurl then gives no
 * message, or one about a name lookup that failed after 0 ms. */
static bool has_waited(CURL *easy, const char *words) {
  return !was_sent(easy) && (!words[0] || strstr(words, "with timeout after"));
}

#define DESCRIPTORS                                                                                \
  4 /* that a new connection needs: socket, name lookup, CA file, CA directory                     \
     */

/* Without a free descriptor, libcurl blames the CA file or the host. */
static bool are_descriptors_short(void) {
  int fds[DESCRIPTORS];
  int count = 0;
  while (count < DESCRIPTORS && (fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
    count++;
  const bool is_short = count < DESCRIPTORS && (errno == EMFILE || errno == ENFILE);
  while (count > 0)
    close(fds[--count]);
  return is_short;
}

/* Whether the status of CONNECT is a refusal by the proxy, not a temporary failure. */
static bool is_refusal(long status) {
  return status >= 300 && status < 500 && status != 408 && status != 425 && status != 429;
}

/* A refusal by the proxy is final: a retry would get it again, and could lock an account. */
static enum http_cause proxy_cause(CURL *easy) {
  long status = 0;
  long socks = CURLPX_OK;
  curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
  curl_easy_getinfo(easy, CURLINFO_PROXY_ERROR, &socks);
  if (status == 407 || status == 401 || /* tinyproxy sends 401 */
      socks == CURLPX_USER_REJECTED || socks == CURLPX_NO_AUTH || socks == CURLPX_IDENTD_DIFFER)
    return HTTP_CAUSE_PROXY_LOGIN;
  return is_refusal(status) || socks == CURLPX_REPLY_NOT_ALLOWED ? HTTP_CAUSE_PROXY_RULE
                                                                 : HTTP_CAUSE_UNKNOWN;
}

/* Why a handshake failed, by OpenSSL's message. */
static enum http_cause handshake_cause(const char *words) {
  static const char *const of_another_protocol[] = {"wrong version number", "packet length too long",
                                                    "http request"};
  static const char *const of_version[] = {"unsupported protocol", "alert protocol version"};
  for (size_t i = 0; i < sizeof of_another_protocol / sizeof of_another_protocol[0]; i++)
    if (strstr(words, of_another_protocol[i]))
      return HTTP_CAUSE_NO_TLS;
  for (size_t i = 0; i < sizeof of_version / sizeof of_version[0]; i++)
    if (strstr(words, of_version[i]))
      return HTTP_CAUSE_TLS_VERSION;
  return HTTP_CAUSE_UNKNOWN;
}

static enum http_cause cause_of(CURL *easy, CURLcode code, const char *words) {
  if (code == CURLE_PEER_FAILED_VERIFICATION)
    return certificate_cause(easy);
  if (code == CURLE_OPERATION_TIMEDOUT)
    return was_sent(easy) ? HTTP_CAUSE_UNKNOWN : HTTP_CAUSE_CONNECT;
  if (was_sent(easy))
    return HTTP_CAUSE_UNKNOWN;
  const enum http_cause refusal = proxy_cause(easy);
  if (refusal != HTTP_CAUSE_UNKNOWN)
    return refusal;
  if (are_descriptors_short())
    return HTTP_CAUSE_DESCRIPTORS;
  if (code == CURLE_SSL_CACERT_BADFILE)
    return HTTP_CAUSE_CA_FILE;
  return code == CURLE_SSL_CONNECT_ERROR ? handshake_cause(words) : HTTP_CAUSE_UNKNOWN;
}

/* Returns libcurl's message if it is about this failure, else libcurl's text for the code. */
static const char *message_of(CURLcode code, const char *words) {
  const bool is_stream = code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR;
  return words[0] && (is_stream || !is_of_another(words)) ? words : curl_easy_strerror(code);
}

/* Adds the cause to a failure for which libcurl's message is precise enough. */
static struct http_failure failure_with_cause(CURL *easy, CURLcode code, const char *words) {
  struct http_failure f = {.cause = cause_of(easy, code, words)};
  switch (f.cause) {
  case HTTP_CAUSE_DESCRIPTORS:
    f.code = HTTP_CONFIG;
    f.message = FAILURE_NO_DESCRIPTOR;
    break;
  case HTTP_CAUSE_PROXY_LOGIN:
  case HTTP_CAUSE_PROXY_RULE:
    f.code = HTTP_CONFIG;
    f.message = "the proxy refuses to connect";
    break;
  default:
    f.code = refined_code(easy, code, words);
    f.message = message_of(code, words);
  }
  return f;
}

static struct http_failure without_cause(enum http_code code, const char *message) {
  return (struct http_failure){code, HTTP_CAUSE_UNKNOWN, message};
}

struct http_failure failure_of(CURL *easy, CURLcode code, const char *words) {
  if (code == CURLE_OUT_OF_MEMORY)
    return without_cause(HTTP_NO_MEMORY, FAILURE_NO_MEMORY);
  if (code == CURLE_FILESIZE_EXCEEDED)
    return without_cause(HTTP_PROTOCOL, FAILURE_BODY_TOO_LARGE);
  if (code == CURLE_OPERATION_TIMEDOUT && has_waited(easy, words))
    return without_cause(HTTP_TIMEOUT, "timed out while waiting for a connection");
  if (code == CURLE_ABORTED_BY_CALLBACK)
    return without_cause(HTTP_NETWORK, "the connection broke; the request may have been carried "
                                       "out, so it is not sent again");
  if (is_head_too_large(code, words))
    return without_cause(HTTP_PROTOCOL, head_message(HEAD_TOO_LARGE));
  return failure_with_cause(easy, code, words);
}
