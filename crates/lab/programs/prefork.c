/* A server that forks its children before they work: prefork SHARED_MIB CHILDREN OWN_MIB. The parent fills SHARED_MIB, each
 * child fills OWN_MIB more; "ready" is printed when all have. Each line on standard input makes the parent keep that many MiB
 * more and print "kept". It ends, with its children, at the end of standard input. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void fill(long mib) {
  size_t size = (size_t)mib << 20;
  if (size == 0) return;
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) exit(1);
  memset(memory, 1, size);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  int ready[2];
  char line[32];
  if (pipe(ready) != 0) return 1;
  fill(atol(argv[1]));
  int children = atoi(argv[2]);
  for (int i = 0; i < children && i < 64; i++) {
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      fill(atol(argv[3]));
      if (write(ready[1], "r", 1) != 1) return 1;
      for (;;) pause();
    }
  }
  for (int i = 0; i < children && i < 64; i++) {
    if (read(ready[0], line, 1) != 1) return 1;
  }
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    fill(atol(line));
    puts("kept");
    fflush(stdout);
  }
  signal(SIGTERM, SIG_IGN);
  kill(0, SIGTERM);
  while (wait(NULL) > 0) {
  }
  return 0;
}
