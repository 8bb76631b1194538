/* Certificates that OpenSSL makes here. The Lua specs have those of servers. */
#include "certificate.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

static EVP_PKEY *key;

static void add_entry(X509_NAME *name, const char *field, const char *text, int len) {
  if (X509_NAME_add_entry_by_txt(name, field, V_ASN1_UTF8STRING, (const unsigned char *)text, len,
                                 -1, 0) != 1)
    abort();
}

static void add_extension(X509 *x, int nid, const char *value) {
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
  if (!extension || X509_add_ext(x, extension, -1) != 1)
    abort();
  X509_EXTENSION_free(extension);
}

/* Returns a certificate of "Server, Fabrikam", signed by "Corp CA". hosts: NULL for none. */
static X509 *make(const char *hosts) {
  X509 *x = X509_new();
  X509_set_version(x, 2);
  add_entry(X509_get_subject_name(x), "CN", "Server", -1);
  add_entry(X509_get_subject_name(x), "O", "Fabrikam", -1);
  add_entry(X509_get_issuer_name(x), "CN", "Corp CA", -1);
  ASN1_TIME_set_string(X509_getm_notBefore(x), "20240203070809Z");
  ASN1_TIME_set_string(X509_getm_notAfter(x), "99991231235959Z");
  X509_set_pubkey(x, key);
  if (hosts)
    add_extension(x, NID_subject_alt_name, hosts);
  return x;
}

/* Signs and reads a certificate, and frees it. */
static struct certificate read_of(X509 *x) {
  struct certificate c;
  memset(&c, 'x', sizeof c);
  if (X509_sign(x, key, EVP_sha256()) == 0)
    abort();
  certificate_read(x, &c);
  check(ERR_peek_error() == 0, "it leaves no error in OpenSSL's queue");
  X509_free(x);
  return c;
}

static void reads_names_and_dates(void) {
  const struct certificate c = read_of(make("DNS:a.example,IP:127.0.0.1,IP:2001:db8::1"));
  check(strcmp(c.subject, "Server, Fabrikam") == 0, "the subject is name and organisation");
  check(strcmp(c.issuer, "Corp CA") == 0, "the issuer is what it has of them");
  check(strcmp(c.hosts, "a.example, 127.0.0.1, 2001:db8::1") == 0, "hosts are names and addresses");
  check(c.not_before == 1706944089 && c.not_after == 253402300799, "dates are seconds, UTC");
  check(!c.is_ca && !c.is_of_proxy, "it is not of a CA");
}

static void falls_back_to_the_common_name(void) {
  check(strcmp(read_of(make(NULL)).hosts, "Server") == 0, "without hosts the common name counts");
  check(strcmp(read_of(make("URI:https://a.example")).hosts, "Server") == 0,
        "other kinds of names do not");
}

static void knows_a_ca(void) {
  X509 *x = make(NULL);
  add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
  check(read_of(x).is_ca, "a CA is one");
}

static void cuts_long_texts(void) {
  char hosts[4096] = "";
  for (int i = 0; i < 100; i++)
    snprintf(hosts + strlen(hosts), sizeof hosts - strlen(hosts), "%sDNS:host%d.fabrikam.example",
             i > 0 ? "," : "", i);
  const struct certificate c = read_of(make(hosts));
  const size_t len = strlen(c.hosts);
  check(len < CERTIFICATE_TEXT && len > CERTIFICATE_TEXT - 40, "it uses the room that it has");
  check(strncmp(c.hosts, "host0.fabrikam.example, host1", 29) == 0, "the first names are shown");
  check(strcmp(c.hosts + len - 11, ".example...") == 0, "the end shows that names are missing");
}

static void survives_hostile_names(void) {
  char longest[600];
  X509 *x = make(NULL);
  add_entry(X509_get_issuer_name(x), "O", "a\0b\033[2J\r\n\177", 10);
  const struct certificate c = read_of(x);
  check(strcmp(c.issuer, "Corp CA, a?b?[2J???") == 0, "control characters are replaced");
  x = make(NULL);
  memset(longest, 'y', sizeof longest);
  while (X509_NAME_entry_count(X509_get_subject_name(x)) > 0)
    X509_NAME_ENTRY_free(X509_NAME_delete_entry(X509_get_subject_name(x), 0));
  add_entry(X509_get_subject_name(x), "OU", longest, sizeof longest);
  check(read_of(x).subject[0] == '\0', "a certificate without a name has none");
}

static void survives_a_broken_extension(void) {
  X509 *x = make(NULL);
  ASN1_OCTET_STRING *bytes = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(bytes, (const unsigned char *)"\x30\x82\xff\xff", 4);
  X509_EXTENSION *extension =
      X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, bytes);
  if (!extension || X509_add_ext(x, extension, -1) != 1)
    abort();
  X509_EXTENSION_free(extension);
  ASN1_OCTET_STRING_free(bytes);
  check(strcmp(read_of(x).hosts, "Server") == 0, "hosts that cannot be read are none");
}

int main(void) {
  key = EVP_EC_gen("P-256");
  reads_names_and_dates();
  falls_back_to_the_common_name();
  knows_a_ca();
  cuts_long_texts();
  survives_hostile_names();
  survives_a_broken_extension();
  EVP_PKEY_free(key);
  return check_result("certificate");
}
