/* Codes, messages and causes of libcurl's failures, without a network. */
#include "failure.h"
#include "check.h"

#include <stdbool.h>
#include <string.h>

static CURL *easy; /* a handle that was never used: nothing was sent */

static bool is(CURLcode code, const char *words, enum http_code expected) {
  const struct http_failure f = failure_of(easy, code, words);
  return f.code == expected && f.cause == HTTP_CAUSE_UNKNOWN && f.message && f.message[0];
}

static bool says(CURLcode code, const char *words, const char *expected) {
  return strcmp(failure_of(easy, code, words).message, expected) == 0;
}

static void has_codes(void) {
  check(failure_code(CURLE_OK) == HTTP_DONE, "no failure is HTTP_DONE");
  check(is(CURLE_COULDNT_CONNECT, "refused", HTTP_NETWORK), "a refused connection is the network");
  check(is(CURLE_SSL_CIPHER, "no cipher", HTTP_TLS), "no common cipher is TLS");
  check(is(CURLE_URL_MALFORMAT, "bad", HTTP_CONFIG), "an invalid URL is the configuration");
  check(is(CURLE_OUT_OF_MEMORY, "", HTTP_NO_MEMORY), "lack of memory is reported as such");
  check(is(CURLE_FILESIZE_EXCEEDED, "", HTTP_PROTOCOL), "a body that is too large is the protocol");
  check(is(CURLE_WEIRD_SERVER_REPLY, "", HTTP_PROTOCOL), "so are headers that are too large");
  check(is(CURLE_RECV_ERROR, "Too large response headers", HTTP_PROTOCOL),
        "whichever way libcurl reports them");
}

static void distinguishes_ambiguous_codes(void) {
  check(is(CURLE_SSL_CONNECT_ERROR, "unexpected eof while reading", HTTP_NETWORK),
        "a connection that is closed within the handshake is the network");
  check(is(CURLE_SSL_CONNECT_ERROR, "no shared cipher", HTTP_TLS), "a failed handshake is TLS");
  check(is(CURLE_COULDNT_RESOLVE_PROXY, "Unsupported proxy syntax", HTTP_CONFIG),
        "an invalid proxy is the configuration");
  check(is(CURLE_COULDNT_RESOLVE_PROXY, "no such host", HTTP_NETWORK),
        "a proxy with an unknown name is the network");
  check(is(CURLE_ABORTED_BY_CALLBACK, "", HTTP_NETWORK), "a request not sent twice is the network");
}

static bool has_cause(CURLcode code, const char *words, enum http_cause expected) {
  return failure_of(easy, code, words).cause == expected;
}

static void has_causes(void) {
  check(has_cause(CURLE_SSL_CONNECT_ERROR, "SSL routines::wrong version number",
                  HTTP_CAUSE_NO_TLS),
        "a peer may speak something else than TLS");
  check(has_cause(CURLE_SSL_CONNECT_ERROR, "SSL routines::unsupported protocol",
                  HTTP_CAUSE_TLS_VERSION) &&
            has_cause(CURLE_SSL_CONNECT_ERROR, "SSL routines::tlsv1 alert protocol version",
                      HTTP_CAUSE_TLS_VERSION),
        "or an old version of it");
  check(has_cause(CURLE_SSL_CACERT_BADFILE, "error setting certificate file: /none",
                  HTTP_CAUSE_CA_FILE),
        "the file of CAs may be unusable");
  check(has_cause(CURLE_OPERATION_TIMEDOUT, "Connection timed out after 5 ms",
                  HTTP_CAUSE_CONNECT),
        "a timeout may come before the request was sent");
  check(has_cause(CURLE_OPERATION_TIMEDOUT, "", HTTP_CAUSE_UNKNOWN),
        "or while it waits for a connection");
}

static void has_messages(void) {
  check(says(CURLE_COULDNT_CONNECT, "Failed to connect", "Failed to connect"),
        "libcurl's message is used");
  check(says(CURLE_COULDNT_CONNECT, "Send failure: Broken pipe",
             curl_easy_strerror(CURLE_COULDNT_CONNECT)),
        "unless it is about another connection");
  check(says(CURLE_SEND_ERROR, "Send failure: Broken pipe", "Send failure: Broken pipe"),
        "a failure to send has this message");
  check(says(CURLE_OPERATION_TIMEDOUT, "", "timed out while waiting for a connection"),
        "a timeout without a connection has a message");
  check(says(CURLE_OPERATION_TIMEDOUT, "Connection timed out after 5 ms",
             "Connection timed out after 5 ms"),
        "a timeout of the connection attempt keeps libcurl's message");
}

int main(void) {
  easy = curl_easy_init();
  has_codes();
  distinguishes_ambiguous_codes();
  has_causes();
  has_messages();
  curl_easy_cleanup(easy);
  return check_result("failure");
}
