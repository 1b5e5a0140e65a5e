/* A worker that means harm: everything that it names on dying is markup, an escape sequence or a trick on readers.
 * `/crash/RUNTIME/TRICK` dies with that runtime's last words, and the trick as type, function, file and thread in them:
 * cpp, libcxx, dotnet, go, java, node, php, python, ruby, rust, sanitizer; markup, attribute, unseen. `/crash/native` dies of
 * a signal in a function, a source file, a thread and a program whose names are markup.
 *
 * `/crash/RUNTIME/secret` (and whatever follows) dies with harmless names and $LAB_SECRET in the exception's message; what it prints when it starts
 * has it too, on both outputs. */
#include "serve.h"

/* Whatever of it comes alive sets `window.pwned`, leaves the page, or is an element with `data-pwned`. */
static const char *const MARKUP =
    "</title></code><meta http-equiv=refresh content=\"0;url=http://evil.invalid/\">"
    "<img data-pwned src=x onerror=window.pwned=1><script data-pwned>window.pwned=1</script>";
static const char *const ATTRIBUTE =
    "\" data-pwned onmouseover=window.pwned=1 x='' data-pwned ' ><svg data-pwned onload=window.pwned=1>]]>--></script>&lt;b&gt;";
/* Right-to-left override, isolate, bell, ESC [ and ] sequences, CSI of C1, zero width space, line separator, tag A, mark of
 * another direction, soft hyphen; then what chats and forges make links of. */
static const char *const UNSEEN =
    "Key\xe2\x80\xae" "exe.\xe2\x81\xa6" "gnp\x07\x1b[31m\x1b]0;pwned\x07\xc2\x9b" "31m\xe2\x80\x8b\xe2\x80\xa8\xf3\xa0\x81\x81"
    "\xd8\x9c\xc2\xad @everyone https://evil.invalid/ #1 ```[x](javascript:window.pwned=1)|<b data-pwned>";

struct words {
  const char *runtime;
  /* Every %1$s is a name, every %2$s stands in a message. */
  const char *text;
  int status; /* how it exits; 0: it aborts */
};

static const struct words WORDS[] = {
    {"cpp", "terminate called after throwing an instance of '%1$s'\n  what():  %2$s\n", 0},
    {"libcxx", "libc++abi: terminating due to uncaught exception of type %1$s: %2$s\n", 0},
    {"dotnet", "Unhandled exception. %1$s: %2$s\n   at Shop.%1$s(Int32 id) in %1$s:line 3\n   at %1$s()\n", 0},
    {"go", "panic: main.%1$s{%2$s}\n\ngoroutine 1 [%1$s]:\nmain.%1$s(0x1)\n\t%1$s:3 +0x1\nmain.main()\n\t/srv/%1$s.go:9 +0x2\n", 2},
    {"java", "Exception in thread \"%1$s\" shop.Error: %2$s\n\tat shop.%1$s(%1$s:3)\n\tat shop.Main.main(%1$s:9)\nCaused by: %1$s: %2$s\n", 1},
    {"node", "%1$s:3\nthrow '%2$s';\n^\n\n%1$s: %2$s\n    at %1$s (%1$s:3:5)\n    at main (/srv/%1$s.js:9:5)\n\nNode.js v22.0.0\n", 1},
    {"php", "PHP Fatal error:  Uncaught Error: %2$s in %1$s:3\nStack trace:\n#0 %1$s(3): %1$s()\n#1 {main}\n  thrown in %1$s on line 3\n", 255},
    {"python", "Exception in thread %1$s:\nTraceback (most recent call last):\n  File \"%1$s\", line 3, in %1$s\n    raise '%2$s'\nshop.Error: %2$s\n", 1},
    {"ruby", "%1$s:3:in '%1$s': %2$s (Shop::Error)\n\tfrom %1$s:9:in '%1$s'\n", 1},
    {"rust", "\nthread '%1$s' panicked at %1$s:3:5:\n%2$s\nstack backtrace:\n   0: %1$s\n             at %1$s:3:5\n", 101},
    {"sanitizer", "==1==ERROR: AddressSanitizer: %1$s on address 0x1 %2$s\n    #0 0x55d0c in %1$s %1$s:3:5\n    #1 0x55d0d in main (%1$s+0x29)\n==1==ABORTING\n", 1},
};

static void die_with_words(const char *runtime, const char *name, const char *message) {
  for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
    if (strncmp(WORDS[i].runtime, runtime, strcspn(runtime, "/")) != 0) continue;
    fprintf(stderr, WORDS[i].text, name, message);
    fflush(stderr);
    if (WORDS[i].status != 0) _exit(WORDS[i].status);
    abort();
  }
}

static const char *secret(void) {
  const char *secret = getenv("LAB_SECRET");
  return secret == NULL ? "" : secret;
}

static volatile int sink;

#line 7 "</title><img data-pwned src=x onerror=window.pwned=1>.c"
__attribute__((noinline)) void hostile_function(int *cents) __asm__("\"</code><img data-pwned src=x onerror=window.pwned=1>\"");
__attribute__((noinline)) void hostile_function(int *cents) {
  *cents = 1;
  sink++;
}

static void crash(const char *how) {
  const char *trick = strchr(how, '/');
  if (strcmp(how, "native") == 0) {
    pthread_setname_np(pthread_self(), "\"><b data-pwned");
    hostile_function(NULL);
    sink++;
  } else if (trick != NULL && strncmp(trick, "/secret", 7) == 0) {
    die_with_words(how, "shop", secret());
  } else if (trick != NULL) {
    trick = strcmp(trick, "/markup") == 0 ? MARKUP : strcmp(trick, "/attribute") == 0 ? ATTRIBUTE : UNSEEN;
    die_with_words(how, trick, trick);
  }
}

static int order(int id) { return id; }

int main(void) {
  fprintf(stderr, "on standard error: %s\n", secret());
  printf("on standard output: %s\n", secret());
  return lab_serve(crash, order);
}
