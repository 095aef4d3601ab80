/* An HTTP load generator that does not wait: requests leave when the clock says, not when the last
   answer came (open loop), or one after the other on each connection (closed loop, rate 0).

   load PORT CONNECTIONS RATE SECONDS COUNT OUT REQUEST[,REQUEST...] [EXPECTED...]

   Only to 127.0.0.1. REQUEST: files with whole requests, sent in turns. EXPECTED: texts of which an
   answer has one; the first that it has is told. OUT gets a record of each request (struct record),
   whose times are of CLOCK_MONOTONIC, so that other programs can say what happened when. SIGTERM:
   no more requests; what is under way is still answered. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RETRY_AFTER = 1, LATE = 2 };

struct record {
    int64_t due;      /* when it should have left, ns */
    int32_t waited;   /* from then until it left, us */
    int32_t took;     /* from leaving to its whole answer, us */
    int16_t status;   /* 0: no answer */
    int8_t answer;    /* which EXPECTED; -1: none */
    int8_t flags;
    int32_t request;  /* which REQUEST */
};

struct text { char *bytes; size_t size; };

struct connection {
    int fd, busy, connected;
    size_t sent, got, space, head, body;
    int64_t due, left;
    int which, closes;
    char *in;
};

static int epoll, port, connections, texts_count, requests_count;
static struct text *texts, *requests;
static struct connection *all;
static int *idle, idle_count;
static FILE *out;
static volatile sig_atomic_t stopped;
static int64_t begun, ends, interval, wanted, issued, finished, open_requests;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what) { perror(what); exit(2); }

static struct text read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    fseek(file, 0, SEEK_END);
    struct text one = {NULL, (size_t)ftell(file)};
    rewind(file);
    one.bytes = malloc(one.size + 1);
    if (fread(one.bytes, 1, one.size, file) != one.size) fail(path);
    fclose(file);
    return one;
}

static void watch(struct connection *c, uint32_t events, int op) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll, op, c->fd, &event) < 0) fail("epoll_ctl");
}

static int dial(struct connection *c) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int yes = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) fail("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
        close(c->fd);
        c->fd = -1;
        return 0;
    }
    c->connected = 1;
    watch(c, EPOLLIN | EPOLLOUT | EPOLLET, EPOLL_CTL_ADD);
    return 1;
}

static void drop(struct connection *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    c->connected = 0;
}

static void done(struct connection *c, int status, int answer, int flags) {
    int64_t at = now();
    struct record r = {c->due, (int32_t)((c->left - c->due) / 1000),
                       (int32_t)((at - c->left) / 1000), status, answer, flags, c->which};
    fwrite(&r, sizeof r, 1, out);
    finished++;
    open_requests--;
    c->busy = 0;
    if (!status || c->closes) drop(c);
    idle[idle_count++] = (int)(c - all);
}

static void push(struct connection *c) {
    struct text *request = &requests[c->which];
    while (c->sent < request->size) {
        ssize_t n = send(c->fd, request->bytes + c->sent, request->size - c->sent, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EAGAIN || errno == ENOTCONN) return;
            /* an early answer may lie there though the server takes no more */
            if (errno == EPIPE || errno == ECONNRESET) { c->sent = request->size; return; }
            done(c, 0, -1, 0);
            return;
        }
        c->sent += (size_t)n;
    }
}

static void begin(struct connection *c, int64_t due) {
    c->busy = 1;
    c->due = due;
    c->left = now();
    c->sent = c->got = c->head = c->body = 0;
    c->closes = 0;
    c->which = (int)(issued++ % requests_count);
    open_requests++;
    if (!c->connected && !dial(c)) { done(c, 0, -1, 0); return; }
    push(c);
}

static const char *header(struct connection *c, const char *name) {
    size_t size = strlen(name);
    for (char *at = c->in; at && at < c->in + c->head; ) {
        at = memmem(at, c->in + c->head - at, "\r\n", 2);
        if (!at) return NULL;
        at += 2;
        if (!strncasecmp(at, name, size) && at[size] == ':') return at + size + 1;
    }
    return NULL;
}

static void answered(struct connection *c) {
    int answer = -1, flags = header(c, "retry-after") ? RETRY_AFTER : 0;
    for (int i = 0; i < texts_count && answer < 0; i++)
        if (memmem(c->in, c->head + c->body, texts[i].bytes, texts[i].size)) answer = i;
    const char *keeps = header(c, "connection");
    c->closes = keeps && !strncasecmp(keeps + strspn(keeps, " "), "close", 5);
    done(c, atoi(c->in + 9), answer, flags);
}

static void pull(struct connection *c) {
    for (;;) {
        if (c->got + 65536 > c->space) {
            c->space = (c->got + 65536) * 2;
            if (!(c->in = realloc(c->in, c->space))) fail("realloc");
        }
        ssize_t n = recv(c->fd, c->in + c->got, c->space - c->got - 1, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) {
            if (c->busy) done(c, 0, -1, 0);
            else drop(c); /* an idle connection may be closed */
            return;
        }
        if (!c->busy) continue;
        c->got += (size_t)n;
        c->in[c->got] = 0;
        if (!c->head) {
            char *end = memmem(c->in, c->got, "\r\n\r\n", 4);
            if (!end) continue;
            c->head = (size_t)(end - c->in) + 2;
            const char *length = header(c, "content-length");
            c->body = 2 + (length ? strtoul(length, NULL, 10) : 0);
        }
        if (c->got >= c->head + c->body) { answered(c); return; }
    }
}

static void stop(int number) { (void)number; stopped = 1; }

static int over(void) {
    return stopped || (wanted && issued >= wanted) || (ends && now() >= ends);
}

static void dispatch(void) {
    if (!interval) {
        for (int n = idle_count; n > 0 && idle_count && !over(); n--)
            begin(&all[idle[--idle_count]], now());
        return;
    }
    while (idle_count && !over()) {
        int64_t due = begun + issued * interval;
        if (due > now() || (ends && due >= ends)) return;
        begin(&all[idle[--idle_count]], due);
    }
}

int main(int count, char **words) {
    if (count < 8) { fprintf(stderr, "see the head of load.c\n"); return 2; }
    port = atoi(words[1]);
    connections = atoi(words[2]);
    double rate = atof(words[3]), seconds = atof(words[4]);
    wanted = atoll(words[5]);
    if (!(out = fopen(words[6], "wb"))) fail(words[6]);
    requests = calloc(64, sizeof *requests);
    for (char *path = strtok(words[7], ","); path && requests_count < 64; path = strtok(NULL, ","))
        requests[requests_count++] = read_file(path);
    texts_count = count - 8;
    texts = calloc(texts_count + 1, sizeof *texts);
    for (int i = 0; i < texts_count; i++)
        texts[i] = (struct text){words[8 + i], strlen(words[8 + i])};
    interval = rate > 0 ? (int64_t)(1e9 / rate) : 0;
    all = calloc(connections, sizeof *all);
    idle = calloc(connections, sizeof *idle);
    if ((epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) fail("epoll_create1");
    for (int i = connections - 1; i >= 0; i--) { all[i].fd = -1; idle[idle_count++] = i; }
    signal(SIGTERM, stop);
    begun = now();
    ends = seconds > 0 ? begun + (int64_t)(seconds * 1e9) : 0;
    int64_t patience = 0; /* answers that are still to come when the time is over */
    struct epoll_event events[256];
    for (;;) {
        dispatch();
        if (over()) {
            if (!patience) patience = now() + 60000000000LL;
            if (!open_requests || now() > patience) break;
        }
        struct timespec nap = {0, 5000000}; /* finer than a millisecond, for the schedule */
        if (interval && !over() && idle_count) {
            int64_t left = begun + issued * interval - now();
            nap.tv_nsec = left < 0 ? 0 : left > 5000000 ? 5000000 : left;
        }
        int n = epoll_pwait2(epoll, events, 256, &nap, NULL);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->fd < 0) continue;
            if (c->busy && (events[i].events & EPOLLOUT)) push(c);
            if (c->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) pull(c);
        }
    }
    for (int i = 0; i < connections; i++)
        if (all[i].busy) done(&all[i], 0, -1, LATE);
    fclose(out);
    return 0;
}
