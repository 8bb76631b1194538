/* measure COMMAND [ARG...]: runs the command. The last line of output has its wall seconds, CPU
 * seconds (user and system), peak memory in bytes and exit status. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t) {
  return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv) {
  if (argc < 2)
    return 2;
  struct timespec a;
  struct timespec b;
  struct rusage used;
  int status;
  clock_gettime(CLOCK_MONOTONIC, &a);
  const pid_t pid = fork();
  if (pid == 0) {
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  if (pid < 0 || wait4(pid, &status, 0, &used) != pid)
    return 1;
  clock_gettime(CLOCK_MONOTONIC, &b);
  printf("%.6f %.6f %ld %d\n",
         (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9,
         seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss * 1024,
         WIFEXITED(status) ? WEXITSTATUS(status) : 128);
  return 0;
}
