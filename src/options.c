#include "options.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_SIZE 102400L /* bytes */

/* Sets options of a handle one after the other. code is the first failure; after it, the functions
 * below set nothing. */
struct setup {
  CURL *easy;
  CURLcode code;
};

static void set_long(struct setup *s, CURLoption option, long value) {
  if (s->code == CURLE_OK)
    s->code = curl_easy_setopt(s->easy, option, value);
}

static void set_size(struct setup *s, CURLoption option, size_t value) {
  if (s->code == CURLE_OK)
    s->code = curl_easy_setopt(s->easy, option, (curl_off_t)value);
}

static void set_text(struct setup *s, CURLoption option, const char *value) {
  if (s->code == CURLE_OK)
    s->code = curl_easy_setopt(s->easy, option, value);
}

static void set_headers(struct setup *s, struct curl_slist *headers) {
  if (s->code == CURLE_OK)
    s->code = curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, headers);
}

/* Whether a directory was made by "openssl rehash": it holds names such as 0a1b2c3d.0 */
static bool is_hashed_directory(const char *path) {
  DIR *dir = path ? opendir(path) : NULL;
  if (!dir)
    return false;
  bool found = false;
  const struct dirent *entry;
  while (!found && (entry = readdir(dir)) != NULL) {
    size_t i = 0;
    while (i < 8 && isxdigit((unsigned char)entry->d_name[i]))
      i++;
    found = i == 8 && entry->d_name[8] == '.' && isdigit((unsigned char)entry->d_name[9]);
  }
  closedir(dir);
  return found;
}

/* Sets one source of CA certificates, never two. For a short-lived process a hashed directory takes
 * a third of the time of a bundle, as every certificate of a bundle is parsed. And libcurl caches a
 * parsed bundle for the next connection only if CURLOPT_CAPATH is not set (lib/vtls/openssl.c,
 * since 7.87). */
static void set_ca(struct setup *s, const struct http_options *o) {
  const curl_version_info_data *built = curl_version_info(CURLVERSION_NOW);
  const char *file = o->ca_file;
  const char *path = o->ca_path;
  if (!file && !path) {
    if (is_hashed_directory(built->capath))
      path = built->capath;
    else
      file = built->cainfo;
  }
  if (!file && !path)
    return; /* libcurl was built to use the system's own store */
  file = path ? NULL : file;
  set_text(s, CURLOPT_CAINFO, file);
  set_text(s, CURLOPT_CAPATH, path);
  set_text(s, CURLOPT_PROXY_CAINFO, file); /* for a proxy with https:// */
  set_text(s, CURLOPT_PROXY_CAPATH, path);
}

static void set_proxy(struct setup *s, const struct http_options *o) {
  /* http:// is for this machine only; a proxy would see the token */
  const char *proxy = o->allow_http ? "" : o->proxy;
  if (proxy)
    set_text(s, CURLOPT_PROXY, proxy);
  if (o->no_proxy)
    set_text(s, CURLOPT_NOPROXY, o->no_proxy);
}

CURLcode options_set_session(CURL *easy, const struct http_options *o) {
  struct setup s = {.easy = easy, .code = CURLE_OK};
  set_ca(&s, o);
  set_proxy(&s, o);
  set_long(&s, CURLOPT_NOSIGNAL, 1); /* signals belong to the host process */
  set_text(&s, CURLOPT_PROTOCOLS_STR, o->allow_http ? "http,https" : "https");
  set_long(&s, CURLOPT_FOLLOWLOCATION, 0);
  set_long(&s, CURLOPT_PATH_AS_IS, 1); /* send the path that the caller has checked */
  set_long(&s, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  set_long(&s, CURLOPT_SSL_VERIFYPEER, 1);
  set_long(&s, CURLOPT_SSL_VERIFYHOST, 2);
  set_long(&s, CURLOPT_HTTP_VERSION, o->http_1_1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS);
  set_long(&s, CURLOPT_HTTP_CONTENT_DECODING, 0);
  set_long(&s, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
  /* prefer a stream of an existing connection to another connection */
  set_long(&s, CURLOPT_PIPEWAIT, 1);
  /* cancelling a request must not wait for a name lookup */
  set_long(&s, CURLOPT_QUICK_EXIT, 1);
  set_long(&s, CURLOPT_TCP_KEEPALIVE, 1);
  /* over HTTP/2 libcurl 7.88 waits for ever for headers that are longer than its buffer */
  set_long(&s, CURLOPT_BUFFERSIZE, BUFFER_SIZE);
  return s.code;
}

/* For a new handle, which sends a GET by default. */
static void set_method(struct setup *s, const struct http_request *r) {
  if (strcmp(r->method, "HEAD") == 0) { /* its Content-Length is not that of a body */
    set_long(s, CURLOPT_NOBODY, 1);
    return;
  }
  set_size(s, CURLOPT_MAXFILESIZE_LARGE, r->max_body);
  if (r->body || strcmp(r->method, "POST") == 0) {
    set_size(s, CURLOPT_POSTFIELDSIZE_LARGE, r->body_len);
    set_text(s, CURLOPT_COPYPOSTFIELDS, r->body ? r->body : "");
  }
  if (r->body || strcmp(r->method, "GET") != 0)
    set_text(s, CURLOPT_CUSTOMREQUEST, r->method);
}

void options_free_address(struct address *a) {
  curl_url_cleanup(a->parsed);
  free(a->text);
  *a = (struct address){.text = NULL};
}

/* Parses an address as libcurl would, unless it is that of the last request. If it is not valid, or
 * memory is short, libcurl reports so when it parses the text. */
static void parse_address(struct address *a, const char *url) {
  if (a->text && strcmp(a->text, url) == 0)
    return;
  options_free_address(a);
  CURLU *parsed = curl_url();
  char *text = strdup(url);
  if (parsed && text && curl_url_set(parsed, CURLUPART_URL, url, CURLU_PATH_AS_IS) == CURLUE_OK) {
    *a = (struct address){text, parsed};
    return;
  }
  curl_url_cleanup(parsed);
  free(text);
}

static void set_address(struct setup *s, struct address *a, const char *url) {
  parse_address(a, url);
  set_text(s, CURLOPT_URL, url);
  if (s->code == CURLE_OK && a->parsed)
    s->code = curl_easy_setopt(s->easy, CURLOPT_CURLU, a->parsed);
}

CURLcode options_set_request(CURL *easy, const struct http_request *r, struct curl_slist *headers,
                             struct address *address) {
  struct setup s = {.easy = easy, .code = CURLE_OK};
  set_method(&s, r);
  set_address(&s, address, r->url);
  set_headers(&s, headers);
  set_long(&s, CURLOPT_TIMEOUT_MS, r->timeout_ms);
  set_long(&s, CURLOPT_CONNECTTIMEOUT_MS, r->connect_timeout_ms);
  return s.code;
}
