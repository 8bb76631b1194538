/* Reads what a certificate says, for the error if a server could not be verified. Knows OpenSSL;
 * knows neither libcurl nor Lua. */
#pragma once

#include <stdbool.h>

#include <openssl/x509.h>

#pragma GCC visibility push(hidden)

#define CERTIFICATE_TEXT 256 /* bytes of each text, with the zero byte at its end */

/* Texts come from the peer. A control character in them is replaced by '?'; a text that is too long
 * is cut and ends in "...". */
struct certificate {
  char subject[CERTIFICATE_TEXT]; /* "Name, Organisation", as far as the certificate has them */
  char issuer[CERTIFICATE_TEXT];  /* likewise, of the CA that signed it */
  char hosts[CERTIFICATE_TEXT];   /* names and IP addresses that it is for, separated by ", " */
  long long not_before;           /* seconds since 1970, UTC; 0: unreadable */
  long long not_after;
  bool is_ca;                     /* of a CA, not of a server */
  bool is_of_proxy;               /* of a proxy with https://; certificate_read() sets it to false */
};

/* Reads the names and dates of a certificate. What it lacks is empty, or 0. */
void certificate_read(const X509 *x, struct certificate *c);

#pragma GCC visibility pop
