/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/decode.h"

/*
 * One value into one member of a struct: a function for each field_type.
 * Values follow the row, not YAML's guesses: there is no null, no yes and no
 * octal, and a password of digits is text.
 */

/* False with the mistake reported; the member may have changed. */
bool value_take(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member);

/* What value_take() chooses from. value.c holds those for numbers and words,
 * value_text.c for text, value_list.c for lists and the password,
 * value_way.c for ways to the server. */
typedef bool value_function(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member);

value_function value_line, value_host, value_path, value_cert, value_log_to,
	value_variable, value_credential, value_netrc;
value_function value_argv, value_pipe, value_auth, value_pins, value_secret;
value_function value_tunnel, value_proxy, value_socket, value_address;

/* The index of the text in the list of names, or -1 with the choices
 * reported. */
int value_name(struct decoder *d, struct yaml_node *node,
	const char *const *names);
/* Neither empty nor longer than max, and without CR and LF. */
bool value_one_line(struct decoder *d, struct yaml_node *node, uint64_t max);

#endif
