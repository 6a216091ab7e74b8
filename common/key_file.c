/* SPDX-License-Identifier: MIT */
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "key.h"
#include "mem.h"
#include "pem.h"

oc_err_t oc_keyset_add_secret_file(oc_keyset_t *set, const char *path, oc_diag_t *diag)
{
    unsigned char *secret = NULL;
    size_t len = 0;
    oc_err_t err = oc_file_read(path, OC_SECRET_FILE_MAX, &secret, &len, diag);

    if (err)
        return err == OC_E_NOMEM ? err : OC_E_CONFIG;
    /* A text file ends in a newline. */
    err = oc_keyset_add_secret(set, secret, secret[len - 1] == '\n' ? len - 1 : len, NULL, path,
                               OC_ALG_ANY, diag);
    OPENSSL_cleanse(secret, len);
    free(secret);
    return err;
}

/* A PEM public key, or the public key of a PEM certificate. */
static EVP_PKEY *read_public(const unsigned char *pem, size_t pem_len)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)pem_len);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, oc_pem_no_passphrase, NULL) : NULL;
    X509 *certificate;

    if (bio && !pkey) {
        (void)BIO_reset(bio);
        certificate = PEM_read_bio_X509(bio, NULL, oc_pem_no_passphrase, NULL);
        pkey = certificate ? X509_get_pubkey(certificate) : NULL;
        X509_free(certificate);
    }
    BIO_free(bio);
    ERR_clear_error();
    return pkey;
}

oc_err_t oc_keyset_add_public_file(oc_keyset_t *set, const char *path, const char *kid,
                                   oc_diag_t *diag)
{
    OC_CLEANUP(oc_freep) unsigned char *pem = NULL;
    size_t len = 0;
    EVP_PKEY *pkey;
    oc_err_t err = oc_file_read(path, OC_KEY_FILE_MAX, &pem, &len, diag);

    if (err)
        return err == OC_E_NOMEM ? err : OC_E_CONFIG;
    pkey = read_public(pem, len);
    if (!pkey)
        return oc_fail(diag, OC_E_CONFIG, "'%s' holds no PEM public key or certificate%s", path,
                       strstr((const char *)pem, "PRIVATE KEY-----")
                           ? "; it holds a private key, which does not belong here"
                           : "");
    err = oc_keyset_add_pkey(set, pkey, kid, path, OC_ALG_ANY, diag);
    EVP_PKEY_free(pkey);
    return err;
}

oc_err_t oc_ca_file_check(const char *path, oc_diag_t *diag)
{
    OC_CLEANUP(oc_freep) unsigned char *pem = NULL;
    size_t len = 0;
    BIO *bio;
    X509 *certificate;
    oc_err_t err = oc_file_read(path, OC_CA_FILE_MAX, &pem, &len, diag);

    if (err)
        return err == OC_E_NOMEM ? err : OC_E_CONFIG;
    bio = BIO_new_mem_buf(pem, (int)len);
    certificate = bio ? PEM_read_bio_X509(bio, NULL, oc_pem_no_passphrase, NULL) : NULL;
    BIO_free(bio);
    X509_free(certificate);
    ERR_clear_error();
    return certificate ? OC_OK : oc_fail(diag, OC_E_CONFIG, "'%s' holds no PEM certificate", path);
}
