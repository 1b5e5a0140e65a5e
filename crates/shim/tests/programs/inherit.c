// inherit PROGRAM ARGUMENTS…: runs a program with every signal ignored and blocked, as careless parents do.
#define _GNU_SOURCE
#include <signal.h>
#include <unistd.h>

int main(int argc, char **argv) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, 0);
  for (int number = 1; number < 65; number++) signal(number, SIG_IGN);
  if (argc > 1) execv(argv[1], argv + 1);
  return 127;
}
