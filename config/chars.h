/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_CHARS_H
#define CONFIG_CHARS_H

/* Sets for strspn(3). Unlike isalpha(3) they mean the same in every locale. */
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#endif
