/* Whatever a server sends as its certificate, the texts end within their room, hold no control
 * character, and nothing stays in OpenSSL's error queue. */
#include "certificate.h"
#include "fuzz.h"

#include <string.h>

#include <openssl/err.h>

static void check_text(const char *text) {
  const size_t len = strnlen(text, CERTIFICATE_TEXT);
  claim(len < CERTIFICATE_TEXT, "a text ends within its room");
  for (size_t i = 0; i < len; i++)
    claim((unsigned char)text[i] >= ' ' && text[i] != 0x7f, "it holds no control character");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const unsigned char *at = data;
  X509 *x = d2i_X509(NULL, &at, (long)size);
  ERR_clear_error();
  if (!x)
    return 0;
  struct certificate c;
  certificate_read(x, &c);
  check_text(c.subject);
  check_text(c.issuer);
  check_text(c.hosts);
  claim(ERR_peek_error() == 0, "no error stays in OpenSSL's queue");
  X509_free(x);
  return 0;
}
