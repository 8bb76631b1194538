#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* timegm */
#endif
#include "certificate.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#define CUT "..."

/* Appends to a text of CERTIFICATE_TEXT bytes, after a separator if it is not empty. Returns false
 * if the text is full; it then ends in CUT. */
static bool add(char *text, const char *more, size_t len) {
  const size_t max = CERTIFICATE_TEXT - sizeof CUT; /* leaves room for CUT */
  size_t at = strlen(text);
  const size_t separator = at > 0 ? 2 : 0;
  if (at + separator + len > max) {
    if (at == 0 && len > 0) { /* a part says more than nothing */
      memcpy(text, more, max);
      at = max;
    }
    memcpy(text + at, CUT, sizeof CUT);
    return false;
  }
  memcpy(text + at, ", ", separator);
  memcpy(text + at + separator, more, len);
  text[at + separator + len] = '\0';
  return true;
}

/* A name may hold anything, also zero bytes. */
static void replace_controls(unsigned char *text, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (text[i] < ' ' || text[i] == 0x7f)
      text[i] = '?';
}

static bool add_string(char *text, const ASN1_STRING *string) {
  unsigned char *utf8 = NULL;
  const int len = ASN1_STRING_to_UTF8(&utf8, string);
  if (len < 0)
    return true;
  replace_controls(utf8, (size_t)len);
  const bool has_room = add(text, (const char *)utf8, (size_t)len);
  OPENSSL_free(utf8);
  return has_room;
}

static void add_entry(char *text, const X509_NAME *name, int nid) {
  const int at = X509_NAME_get_index_by_NID((X509_NAME *)name, nid, -1);
  if (at >= 0)
    add_string(text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
}

static void read_name(char *text, const X509_NAME *name) {
  text[0] = '\0';
  add_entry(text, name, NID_commonName);
  add_entry(text, name, NID_organizationName);
}

static bool add_address(char *text, const ASN1_OCTET_STRING *address) {
  char printed[INET6_ADDRSTRLEN];
  const int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
  if (family == AF_INET6 && ASN1_STRING_length(address) != 16)
    return true;
  inet_ntop(family, ASN1_STRING_get0_data(address), printed, sizeof printed);
  return add(text, printed, strlen(printed));
}

static bool add_host(char *text, const GENERAL_NAME *name) {
  int type = 0;
  const void *value = GENERAL_NAME_get0_value(name, &type);
  switch (type) {
  case GEN_DNS:
    return add_string(text, value);
  case GEN_IPADD:
    return add_address(text, value);
  default:
    return true;
  }
}

/* The common name counts only if there are no other names (RFC 6125 §6.4.4). */
static void read_hosts(char *text, const X509 *x) {
  text[0] = '\0';
  GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
  const int count = names ? sk_GENERAL_NAME_num(names) : 0;
  for (int i = 0; i < count && add_host(text, sk_GENERAL_NAME_value(names, i)); i++)
    ;
  GENERAL_NAMES_free(names);
  if (text[0] == '\0')
    add_entry(text, X509_get_subject_name(x), NID_commonName);
}

static long long read_time(const ASN1_TIME *time) {
  struct tm tm;
  return ASN1_TIME_to_tm(time, &tm) == 1 ? (long long)timegm(&tm) : 0;
}

void certificate_read(const X509 *x, struct certificate *c) {
  ERR_set_mark(); /* errors that stay in OpenSSL's queue would make later calls fail */
  read_name(c->subject, X509_get_subject_name(x));
  read_name(c->issuer, X509_get_issuer_name(x));
  read_hosts(c->hosts, x);
  c->not_before = read_time(X509_get0_notBefore(x));
  c->not_after = read_time(X509_get0_notAfter(x));
  c->is_ca = X509_check_ca((X509 *)x) > 0;
  c->is_of_proxy = false;
  ERR_pop_to_mark();
}
