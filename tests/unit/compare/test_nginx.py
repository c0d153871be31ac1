"""`nginx`: what it serves."""

from pipeline.compare import nginx


def test_what_is_served_is_the_same_each_time() -> None:
    """And as long as it should be."""
    assert 8192 == len(nginx.text(8192))
    assert nginx.text(2048) == nginx.text(2048)
    assert nginx.text(2048) != nginx.text(8192)[:2048]
