/*
 * message: a file as the lines of a multi-line reply (RFC 1939, section 3).
 *
 * Streams in constant memory.  With RAW the bytes go as they are and only
 * CRLF ends a line; otherwise a lone LF becomes CRLF.  A dot at the start of
 * a line is doubled; a last line without an end gets CRLF.  The final dot is
 * the caller's.
 */
#ifndef TESTS_SERVER_MESSAGE_H
#define TESTS_SERVER_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes N bytes; false when no more are wanted. */
typedef bool message_sink(void *arg, const char *data, size_t n);

/*
 * Send the file open at FD, from its start: the whole message, or with
 * BODY_LINES >= 0 its header and so many lines of its body (TOP).  False if
 * the file could not be read or the sink refused.
 */
bool message_send(int fd, bool raw, int64_t body_lines, message_sink *sink, void *arg);

/*
 * The octets a client gets for that file, without the dots added on the wire.
 */
bool message_size(int fd, bool raw, uint64_t *size_r);

#endif
