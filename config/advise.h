/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_ADVISE_H
#define CONFIG_ADVISE_H

#include "config/decode.h"

/*
 * Advice: what is no mistake, but will lose mail, run messages together or hold
 * them up, because of how a known delivery program (procmail, maildrop,
 * dovecot-lda) behaves. It is told after the loading, by those who want to.
 */

/* About the program that an account delivers to. `node` is its `pipe`; the files
 * that it names are looked at only if `look` says so. */
void advise_pipe(struct mistakes *m, struct yaml_node *node,
	const char *const *argv, bool look);

#endif
