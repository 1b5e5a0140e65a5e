// signals N: N handled SIGSEGVs, half raised and half by faults, then says so and ends well.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static sigjmp_buf back;
static volatile int handled;
static void handler(int number) {
  (void)number;
  handled++;
  siglongjmp(back, 1);
}
int main(int argc, char **argv) {
  int times = argc > 1 ? atoi(argv[1]) : 1;
  signal(SIGSEGV, handler);
  for (int i = 0; i < times; i++) {
    if (sigsetjmp(back, 1) == 0) {
      if (i % 2) raise(SIGSEGV);
      else *(volatile int *)16 = 1;
    }
  }
  printf("handled %d\n", handled);
  return 0;
}
