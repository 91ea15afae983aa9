"""`SECURITY_HEADERS`: the values that browsers understand, and the right form of others."""

import pytest

from msframework.conf.security import find_faults, read_headers

UNDERSTOOD = {
    "Strict-Transport-Security": [
        "max-age=0",
        "max-age=63072000; includeSubDomains",
        'includeSubDomains ; max-age="31536000"',
        "max-age=31536000; includeSubDomains; preload",
    ],
    "X-Content-Type-Options": ["nosniff"],
    "X-Frame-Options": ["DENY", "SAMEORIGIN"],
    "Referrer-Policy": ["no-referrer", "no-referrer, strict-origin-when-cross-origin"],
    "Cross-Origin-Opener-Policy": ["same-origin", 'same-origin; report-to="a"'],
    "Cross-Origin-Embedder-Policy": ["require-corp"],
    "Cross-Origin-Resource-Policy": ["same-site"],
    "Content-Security-Policy": [
        "default-src 'none'",
        "default-src 'self'; img-src https: data:; frame-ancestors 'none';",
        "upgrade-insecure-requests",
    ],
    "Permissions-Policy": [
        "camera=(), geolocation=(self)",
        'usb=*, midi=(self "https://a.example")',
    ],
    "X-XSS-Protection": ["0"],
    "X-Own": ["anything"],
}
# A header and its value; what is said.
REFUSED = [
    ("Strict-Transport-Security", "includeSubDomains", "max-age=SECONDS"),
    ("Strict-Transport-Security", "max-age=a", "max-age=SECONDS"),
    ("Strict-Transport-Security", "max-age=1, includeSubDomains", "max-age=SECONDS"),
    ("Strict-Transport-Security", "max-age=1; max-age=2", "max-age=SECONDS"),
    ("Strict-Transport-Security", "max-age=1; includeSubDomains=1", "max-age=SECONDS"),
    ("Strict-Transport-Security", "max-age=1; other", "max-age=SECONDS"),
    ("Strict-Transport-Security", "max-age=1; includeSubDomains; preload", "31536000 at least"),
    ("Strict-Transport-Security", "max-age=31536000; preload", "includeSubDomains and a max-age"),
    ("X-Content-Type-Options", "no-sniff", "Write 'nosniff'."),
    ("X-Frame-Options", "deny", "Write 'DENY'."),
    ("X-Frame-Options", "ALLOW-FROM https://a.example", "frame-ancestors"),
    ("Referrer-Policy", "no-referer", "Write 'no-referrer'."),
    ("Referrer-Policy", "origin, none", "no-referrer or "),
    ("Cross-Origin-Opener-Policy", "same-site", "Write 'same-origin'."),
    ("Content-Security-Policy", "default-src: 'none'", "directives with semicolons"),
    ("Content-Security-Policy", "default-src 'none', img-src *", "directives with semicolons"),
    ("Permissions-Policy", "camera 'none'", "Write 'camera=()"),
    ("X-XSS-Protection", "1; mode=block", "Write '0'."),
    ("X-Frame-Options", "", "write None for no such header"),
    ("X-Own", " ", "write None for no such header"),
    ("X-Own", "a\nb", "a control character"),
    ("X-Own", 5, "of type int"),
    ("X-Frame-Option", "DENY", "Did you mean 'x-frame-options'?"),
    ("Strict-Transport-Securty", "DENY", "Did you mean 'strict-transport-security'?"),
    ("X Own", "a", "no header"),
    ("Content-Length", "5", "written by the answer itself"),
    ("Vary", "Accept", "written by the answer itself"),
    ("Access-Control-Allow-Origin", "*", "a header of CORS"),
]


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_what_browsers_understand_is_taken(name):
    assert [list(find_faults({name: value})) for value in UNDERSTOOD[name]] == [
        [] for _ in UNDERSTOOD[name]
    ]


@pytest.mark.parametrize(("name", "value", "said"), REFUSED)
def test_any_other_is_refused_with_the_right_form(name, value, said):
    (fault,) = find_faults({name: value})

    assert fault[0] == name
    assert said in " ".join(fault)


def test_a_header_stands_there_once():
    (fault,) = find_faults({"X-Frame-Options": "DENY", "x-frame-options": "DENY"})

    assert fault[:2] == ("x-frame-options", "there twice")


@pytest.mark.parametrize(
    ("given", "headers"),
    [
        ({}, (("x-content-type-options", "nosniff"),)),
        ({"x-content-type-options": None}, ()),
        (
            {"Referrer-Policy": "no-referrer", "X-Frame-Options": None},
            (("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer")),
        ),
    ],
)
def test_nosniff_is_sent_unless_it_is_switched_off(given, headers):
    assert read_headers(given) == headers
