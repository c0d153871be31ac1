"""A real PHP 7.4, which opens its extensions with RTLD_DEEPBIND, on the libraries of el8."""

import getpass
import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline.build import make
from pipeline.inspect import payload
from pipeline.system import procfs, workspace
from pipeline.system.report import Report
from tests.build import debian
from tests.build.conftest import ARCH, ROOT, VERSIONS, Package

PACKAGES = "php7.4-fpm php7.4-opcache php7.4-xml php7.4-mbstring php7.4-zip php7.4-mysql".split()

# In the order in which they need each other; the first is one of Zend's.
EXTENSIONS = (
    "opcache ctype dom fileinfo iconv json mbstring mysqlnd mysqli pdo pdo_mysql phar simplexml "
    "sockets tokenizer xml xmlreader xmlwriter xsl zip"
).split()

SCRIPT = """<?php
$page = new DOMDocument;
$page->loadHTML('<p>' . str_repeat('<b>x</b>', 200) . '</p>');
$text = $page->saveXML() . mb_ereg_replace('[a-c]+', 'x', str_repeat('abcd', 100));
$text .= mb_convert_encoding(str_repeat('\u00e4', 500), 'UTF-16', 'UTF-8');
$name = tempnam(sys_get_temp_dir(), 'php');
$archive = new ZipArchive;
$archive->open($name, ZipArchive::OVERWRITE);
$archive->addFromString('a', $text);
$archive->close();
$archive->open($name);
$text .= $archive->getFromName('a');
unlink($name);
$text .= @mysqli_real_connect(mysqli_init(), '127.0.0.1', 'a', 'b', 'c', 1) ? 'connected' : 'no';
$tokens = token_get_all('<?php echo 1 + 2;');
echo md5($text), ' ', count($tokens), ' ', is_array(opcache_get_status());
"""

CONFIGURATION = """[global]
error_log = {folder}/log
daemonize = no
[www]
user = {user}
listen = {folder}/socket
pm = static
pm.max_children = 2
pm.max_requests = 50
"""


@dataclass(frozen=True)
class Php:
    """PHP in a root of an older Debian, started by the loader of that."""

    root: Path
    folder: Path

    def command(self, *arguments: str) -> list[str | Path]:
        """Starts php-fpm with all extensions."""
        parts = [self.root / part / f"{ARCH}-linux-gnu" for part in ("lib", "usr/lib")]
        (loader,) = parts[0].glob("ld-2.*.so")
        (extensions,) = self.root.glob("usr/lib/php/2*")
        first, *others = EXTENSIONS
        settings = [f"extension_dir={extensions}", f"zend_extension={first}"]
        settings += [f"extension={name}" for name in others]
        words = [word for setting in settings for word in ("-d", setting)]
        program = self.root / "usr/sbin/php-fpm7.4"
        path = ":".join(map(str, parts))
        return [loader, "--library-path", path, program, "-n", *words, *arguments]

    @contextmanager
    def serving(self, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
        """Php-fpm with two workers; it must end with 0 at last."""
        text = CONFIGURATION.format(folder=self.folder, user=getpass.getuser())
        (self.folder / "fpm.conf").write_text(text)
        (self.folder / "page.php").write_text(SCRIPT)
        command = self.command("-y", f"{self.folder}/fpm.conf", "-R")
        with subprocess.Popen(command, env=env) as master:
            try:
                until = time.monotonic() + 20
                while not (self.folder / "socket").exists() and time.monotonic() < until:
                    time.sleep(0.1)
                yield master
            finally:
                master.terminate()
        assert 0 == master.returncode

    def answer(self, _: int) -> str:
        """What a request for the page is answered, by FastCGI."""
        page = str(self.folder / "page.php")
        values = {"REQUEST_METHOD": "GET", "SCRIPT_FILENAME": page, "SCRIPT_NAME": "/page.php"}
        pairs = [pair.encode() for item in values.items() for pair in item]
        names = zip(pairs[::2], pairs[1::2], strict=True)
        sent = b"".join(struct.pack(">BI", len(n), len(v) | 1 << 31) + n + v for n, v in names)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(str(self.folder / "socket"))
            # Types of records: a request begins (as a responder), parameters, input.
            for kind, body in ((1, b"\0\1" + bytes(6)), (4, sent), (4, b""), (5, b"")):
                client.sendall(struct.pack(">BBHHH", 1, kind, 1, len(body), 0) + body)
            with client.makefile("rb") as stream:
                received = stream.read()
        return received.partition(b"\r\n\r\n")[2][:36].decode(errors="replace")


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with PHP and all that it needs."""
    return debian.unpacked(tmp_path_factory.mktemp("php"), ARCH, *PACKAGES, closure=True)


@pytest.fixture
def php(root: Path, tmp_path: Path) -> Php:
    """PHP, with a folder for its files."""
    return Php(root, tmp_path)


@pytest.mark.parametrize("version", VERSIONS)
def test_it_serves_on_the_library(package: Package, php: Php, version: str) -> None:
    """All extensions load, and answers are those of the C library's allocator."""
    built = package(version, "el8")
    library = payload.place(payload.unpack(built.rpm, php.folder), built.plan.preload)
    with php.serving({}):
        expected = php.answer(0)
    assert expected.endswith(" 9 1")

    with php.serving({"LD_PRELOAD": str(library)}) as master, ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(php.answer, range(400)))
        mapped = [process.mapped or () for process in procfs.family(master.pid)]

    assert {expected} == answers
    assert 3 == len(mapped)
    assert all(str(library.resolve()) in [file.path for file in files] for files in mapped)


def test_it_dies_without_the_hooks(package: Package, php: Php) -> None:
    """The same release, linked without them: an extension frees with the C library's `free`."""
    plan = package("2.0.9", "el8").plan
    hooks = replace(plan.package.hooks, until="2.17")
    other = replace(plan, package=replace(plan.package, hooks=hooks))
    staged = make.step(other, workspace.locate(ROOT), Report(), "stage") / "root"
    env = {**os.environ, "LD_PRELOAD": str(payload.place(staged, plan.preload))}
    done = subprocess.run(php.command("-m"), env=env, capture_output=True, text=True, check=False)

    assert done.returncode < 0
    assert 0 == subprocess.run(php.command("-m"), capture_output=True, check=False).returncode
