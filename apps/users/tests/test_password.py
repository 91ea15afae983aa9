"""What is stored of a password."""

import base64
import hashlib

from apps.users.password import hash_password


async def test_the_hash_can_be_computed_again_from_what_it_holds():
    stored = await hash_password("correct horse")

    kind, n, r, p, salt, digest = stored.split("$")
    again = hashlib.scrypt(
        b"correct horse", salt=base64.b64decode(salt), n=int(n), r=int(r), p=int(p), dklen=32
    )
    assert (kind, base64.b64decode(digest)) == ("scrypt", again)
    assert len(stored) <= 128


async def test_the_same_password_gives_different_hashes():
    assert await hash_password("correct horse") != await hash_password("correct horse")
