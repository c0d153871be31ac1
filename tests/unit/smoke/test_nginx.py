"""How an nginx of our own is set up."""

from __future__ import annotations

from pipeline.smoke import nginx
from pipeline.smoke.probe import PROBES

TEMPLATE = PROBES / nginx.CONFIGURATION


def test_all_temporary_files_are_below_our_own_folder() -> None:
    """For each module that nginx is built with; a module that it lacks has no such directive."""
    text = nginx.configuration(
        TEMPLATE, "--with-x --without-http_uwsgi_module", {"port": 8123}, root=True
    )

    assert "listen 127.0.0.1:8123;" in text
    assert "fastcgi_temp_path temporary/fastcgi;" in text
    assert "uwsgi" not in text


def test_only_root_names_a_user() -> None:
    """Nginx warns of the directive where it cannot follow it."""
    assert "user root root;" in nginx.configuration(TEMPLATE, "", {"port": 1}, root=True)
    assert "user " not in nginx.configuration(TEMPLATE, "", {"port": 1}, root=False)
