/* SPDX-License-Identifier: MIT */
#ifndef OC_PEM_H
#define OC_PEM_H

/* For whatever reads PEM. Without a callback, OpenSSL asks for the passphrase of an encrypted file on the
 * terminal, and the program waits there; with this one such a file cannot be read. An empty passphrase is
 * one too, so the answer is an error (openssl/pem.h, pem_password_cb). */
static inline int oc_pem_no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

#endif
