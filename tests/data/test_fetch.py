"""Downloads from a server in this process that behaves as a test tells it to."""

import hashlib
import os
import resource
import signal
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from emamba.data.fetch import download, fetch
from emamba.data.sources import SOURCES, Download, Source
from emamba.errors import ConfigError, DataError, StorageError

CONTENT = os.urandom(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server:
    """What is served, how, and which ranges were asked for."""

    def __init__(self):
        self.content = CONTENT
        self.cut = None  # bytes after which the connection ends
        self.ranges = True
        self.asked = []
        self.address = ""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers.get("Range")
            state.asked.append(asked)
            if self.path != "/file":
                self.send_error(404)
                return
            begin = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and state.ranges else 0
            if begin >= len(state.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(state.content)}")
                self.end_headers()
                return
            self.send_response(206 if begin else 200)
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(state.content) - 1}/{len(state.content)}")
            self.send_header("Content-Length", str(len(state.content) - begin))
            self.end_headers()
            self.wfile.write(state.content[begin:][: state.cut])

        def log_message(self, format, *args):
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.address = f"http://127.0.0.1:{listening.server_port}"
    yield state
    listening.shutdown()
    thread.join()
    listening.server_close()


def wanted(server, *paths, checksum=MD5) -> Download:
    return Download("file", tuple(f"{server.address}/{path}" for path in paths or ("file",)), checksum)


def test_a_file_comes_whole_and_progress_is_told_in_kib(server, tmp_path):
    told = []
    path = download(wanted(server), tmp_path / "new", lambda *step: told.append(step))
    assert path.read_bytes() == CONTENT
    assert [each.name for each in path.parent.iterdir()] == ["file"]
    assert told[-1] == (300_000 >> 10, 300_000 >> 10, "file")
    assert [step[0] for step in told] == sorted(step[0] for step in told)
    assert len(told) > 2


def test_sha256_is_checked_as_well(server, tmp_path):
    assert download(wanted(server, checksum=hashlib.sha256(CONTENT).hexdigest()), tmp_path).exists()
    with pytest.raises(DataError, match=r"sha256 is .*, not 0000"):
        download(Download("other", (f"{server.address}/file",), "0" * 64), tmp_path)


def test_a_file_that_is_right_is_not_fetched_again_and_a_wrong_one_is(server, tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    download(wanted(server), tmp_path)
    assert server.asked == []
    (tmp_path / "file").write_bytes(CONTENT[:-1])
    assert download(wanted(server), tmp_path).read_bytes() == CONTENT


def test_a_cut_connection_goes_on_where_it_stopped(server, tmp_path):
    server.cut = 120_000
    assert download(wanted(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=120000-", "bytes=240000-"]


def test_an_interrupted_download_goes_on_in_the_next_call(server, tmp_path):
    def interrupt(done, total, label):
        if done > 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(wanted(server), tmp_path, interrupt)
    begun = (tmp_path / "file.part").stat().st_size
    assert 100_000 < begun < 300_000
    assert not (tmp_path / "file").exists()
    assert download(wanted(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={begun}-"]


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    server.ranges = False
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    assert download(wanted(server), tmp_path).read_bytes() == CONTENT


def test_a_server_without_ranges_that_always_cuts_is_given_up(server, tmp_path):
    server.ranges, server.cut = False, 1000
    with pytest.raises(DataError, match="connection was cut after 1,000 of 300,000 bytes"):
        download(wanted(server), tmp_path)
    assert len(server.asked) == 2
    assert not (tmp_path / "file").exists()


def test_a_wrong_checksum_is_refused_and_leaves_nothing(server, tmp_path):
    server.content = CONTENT[::-1]
    with pytest.raises(DataError, match=f"cannot fetch file: .*/file: md5 is .*, not {MD5}"):
        download(wanted(server), tmp_path)
    assert server.asked == [None]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stale", [b"x" * 1000, b"x" * 300_000, b"x" * 300_001])
def test_a_wrong_beginning_is_replaced(server, tmp_path, stale):
    (tmp_path / "file.part").write_bytes(stale)
    assert download(wanted(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(stale)}-", None]


def test_a_whole_part_is_only_checked(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    assert download(wanted(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=300000-"]


def test_the_next_address_is_tried(server, tmp_path):
    assert download(wanted(server, "gone", "file"), tmp_path).read_bytes() == CONTENT
    with pytest.raises(DataError, match=r"/gone: HTTP Error 404: Not Found; .*/away: HTTP Error 404"):
        download(Download("other", wanted(server, "gone", "away").addresses, MD5), tmp_path)


def test_without_a_known_checksum_what_came_whole_is_right(server, tmp_path):
    server.cut = 200_000
    assert download(wanted(server, checksum=""), tmp_path).read_bytes() == CONTENT


@contextmanager
def files_of_at_most(size):
    """As on a full disk: no file grows beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_and_an_unwritable_folder_are_told(server, tmp_path):
    with files_of_at_most(150_000), pytest.raises(StorageError, match=r"cannot write .*/file.part: File too large"):
        download(wanted(server), tmp_path)
    assert download(wanted(server), tmp_path).read_bytes() == CONTENT
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(StorageError, match=r"cannot write .*/taken/file.part"):
        download(wanted(server), tmp_path / "taken")


def test_fetch_gets_every_file_of_a_set_into_its_folder(server, tmp_path, monkeypatch):
    names = ("one", "two")
    items = tuple(Download(name, (f"{server.address}/file",), MD5) for name in names)
    monkeypatch.setitem(SOURCES, "mars", Source("regression", "", items))
    assert fetch("mars", tmp_path) == [tmp_path / "mars" / name for name in names]


def test_without_a_network_the_hint_tells_which_files_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    items = tuple(Download(name, ("http://127.0.0.1:9/x",), MD5) for name in ("one", "two"))
    monkeypatch.setitem(SOURCES, "mars", Source("regression", "", items))
    with pytest.raises(DataError, match=r"cannot fetch one: http://127.0.0.1:9/x: .*refused") as error:
        fetch("mars", tmp_path)
    assert f"get one, two elsewhere and put them into {tmp_path / 'mars'}" in error.value.hint
    assert "--data-dir or EMAMBA_DATA" in error.value.hint


def test_what_cannot_be_fetched_is_a_choice_that_does_not_exist(tmp_path):
    with pytest.raises(ConfigError, match="nothing to fetch for digits"):
        fetch("digits", tmp_path)
    with pytest.raises(ConfigError, match="no data set 'letters'"):
        fetch("letters", tmp_path)
