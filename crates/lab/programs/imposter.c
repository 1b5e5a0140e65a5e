// Sends one request again and again as another user, by connections that are hard to tell whose they are.
//
// usage: imposter USER PORT SOURCE_PORT MODE TRIES < request
//
// SOURCE_PORT may be one that other sockets have; 0 takes any. MODE is what happens after the request was sent: `keep` the
// connection until the answer, `half` close it, `close` it or `reset` it without waiting. Prints each answer's status, 0 for none,
// -1 where the address could not be had.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in at(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int try(int port, int source, const char *mode, const char *request, size_t length) {
    int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in here = at(source), there = at(port);
    int status = 0;
    if (bind(s, (struct sockaddr *)&here, sizeof here) == 0 && connect(s, (struct sockaddr *)&there, sizeof there) == 0 &&
        send(s, request, length, MSG_NOSIGNAL) == (ssize_t)length) {
        if (!strcmp(mode, "half")) shutdown(s, SHUT_WR);
        if (!strcmp(mode, "reset")) {
            struct linger now = {1, 0};
            setsockopt(s, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        if (!strcmp(mode, "keep") || !strcmp(mode, "half")) {
            char answer[4096] = {0};
            if (recv(s, answer, sizeof answer - 1, 0) > 0) sscanf(answer, "HTTP/1.1 %d", &status);
        }
    } else {
        status = -1;
    }
    close(s);
    return status;
}

int main(int count, char **words) {
    static char request[1 << 16];
    if (count != 6) return 2;
    size_t length = fread(request, 1, sizeof request, stdin);
    int user = atoi(words[1]);
    if (setresgid(user, user, user) || setresuid(user, user, user)) return 3;
    for (int i = 0; i < atoi(words[5]); i++)
        printf("%d\n", try(atoi(words[2]), atoi(words[3]), words[4], request, length));
    return 0;
}
