/* SPDX-License-Identifier: MIT */
#include "jwks_url.h"
#include "unit.h"

static const struct {
    const char *url;
    bool allowed;
} urls[] = {
    {"https://id.acme.example/keys", true},
    {"https://id.acme.example", true},
    {"https://id.acme.example:8443/realms/acme/protocol/openid-connect/certs?x=1", true},
    {"HTTPS://ID.ACME.EXAMPLE/keys", true},
    {"https://10.0.0.1/keys", true},
    {"https://[2001:db8::1]/keys", true},
    {"https://127.0.0.1/keys", true},
    {"http://127.0.0.1/keys", true},
    {"http://127.0.0.1:8080/keys", true},
    {"http://127.1.2.3/keys", true},
    {"http://localhost:8080/keys", true},
    {"http://LocalHost/keys", true},
    {"http://[::1]:8080/keys", true},
    {"http://id.acme.example/keys", false},
    {"http://10.0.0.1/keys", false},
    {"http://128.0.0.1/keys", false},
    {"http://126.255.255.255/keys", false},
    {"http://0.0.0.0/keys", false},
    {"http://[::]/keys", false},
    {"http://[2001:db8::1]/keys", false},
    /* names that only look like this machine */
    {"http://localhost.acme.example/keys", false},
    {"http://127.0.0.1.acme.example/keys", false},
    {"http://acme.example/localhost", false},
    {"http://acme.example#localhost", false},
    {"http://localhost@acme.example/keys", false},
    {"http://acme.example\\@localhost/keys", false},
    /* credentials would be in a log line */
    {"https://user@id.acme.example/keys", false},
    {"https://user:password@id.acme.example/keys", false},
    {"https://:password@id.acme.example/keys", false},
    {"http://user@localhost/keys", false},
    /* no HTTP */
    {"file:///etc/passwd", false},
    {"ftp://127.0.0.1/keys", false},
    {"ldap://127.0.0.1/keys", false},
    {"data:application/json,{}", false},
    {"httpss://127.0.0.1/keys", false},
    /* no URL */
    {"", false},
    {"/keys", false},
    {"id.acme.example/keys", false},
    {"localhost/keys", false},
    {"https://", false},
    {"https://id.acme.example:99999/keys", false},
    {"https://id.acme.example:port/keys", false},
    {"https://id acme.example/keys", false},
    {"https://id.acme.example/ke ys", false},
    {"https://id.acme.example/keys\n", false},
    {" https://id.acme.example/keys", false},
};

START_TEST(allowed_urls)
{
    ck_assert_msg(oc_jwks_url_allowed(urls[_i].url) == urls[_i].allowed, "'%s'", urls[_i].url);
}
END_TEST

static const struct {
    const char *a, *b;
    bool same;
} pairs[] = {
    {"https://id.acme.example/a", "https://id.acme.example/b?c#d", true},
    {"https://id.acme.example/", "https://id.acme.example:443/", true},
    {"http://localhost/", "http://localhost:80/", true},
    {"https://id.acme.example/", "HTTPS://ID.Acme.Example/", true},
    {"https://id.acme.example:8443/", "https://id.acme.example:8443/x", true},
    {"http://[::1]:8080/", "http://[::1]:8080/x", true},
    {"https://id.acme.example/", "http://id.acme.example/", false},
    {"https://id.acme.example/", "http://id.acme.example:443/", false},
    {"https://id.acme.example/", "https://id.acme.example:8443/", false},
    {"https://id.acme.example/", "https://acme.example/", false},
    {"https://id.acme.example/", "https://id.acme.example.globex.example/", false},
    {"https://id.acme.example/", "https://globex.example/id.acme.example", false},
    {"https://id.acme.example/", "https://id.acme.example@globex.example/", false},
    {"http://localhost:1/", "http://127.0.0.1:1/", false},
    {"http://127.0.0.1:1/", "http://127.0.0.2:1/", false},
    {"https://id.acme.example/", "https://id.acme.example./", false},
    {"https://id.acme.example/", "", false},
    {"", "", false},
    {"https://id.acme.example/", "/keys", false},
    {"https://id.acme.example/", "//id.acme.example/keys", false},
};

START_TEST(same_origins)
{
    ck_assert_msg(oc_jwks_url_same_origin(pairs[_i].a, pairs[_i].b) == pairs[_i].same, "'%s' '%s'",
                  pairs[_i].a, pairs[_i].b);
    ck_assert_msg(oc_jwks_url_same_origin(pairs[_i].b, pairs[_i].a) == pairs[_i].same, "'%s' '%s'",
                  pairs[_i].b, pairs[_i].a);
}
END_TEST

static const struct {
    const char *url, *shown;
} shown_urls[] = {
    {"https://id.acme.example/keys", "https://id.acme.example/keys"},
    {"https://id.acme.example/keys?apikey=secret", "https://id.acme.example/keys"},
    {"https://id.acme.example/keys#secret", "https://id.acme.example/keys"},
    {"https://id.acme.example?a=b/c", "https://id.acme.example"},
};

START_TEST(shown)
{
    char out[OC_JWKS_URL_SHOWN_MAX];

    ck_assert_str_eq(oc_jwks_url_shown(shown_urls[_i].url, out), shown_urls[_i].shown);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("jwks_url");

    unit_add_table(tcase, allowed_urls, urls);
    unit_add_table(tcase, same_origins, pairs);
    unit_add_table(tcase, shown, shown_urls);
    return unit_run("jwks_url", tcase);
}
