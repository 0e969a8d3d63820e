"""Log files: rotation, ends, following."""

from __future__ import annotations

from ticketly_cli.local import logfiles


def test_a_small_log_stays(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("x\n")
    assert not logfiles.rotate(path, max_bytes=100)
    assert not logfiles.rotate(tmp_path / "absent.log", max_bytes=100)


def test_a_large_log_is_cut_while_its_writer_goes_on(tmp_path):
    path = tmp_path / "a.log"
    with path.open("ab", buffering=0) as writer:
        for number in range(4):
            writer.write(f"{number}\n".encode() * 10)
            assert logfiles.rotate(path, max_bytes=10, kept=2)
        writer.write(b"last\n")
    assert path.read_text() == "last\n"
    assert (tmp_path / "a.log.1").read_text() == "3\n" * 10
    assert (tmp_path / "a.log.2").read_text() == "2\n" * 10
    assert not (tmp_path / "a.log.3").exists()


def test_the_last_lines_in_order(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("".join(f"{n}\n" for n in range(10)))
    assert logfiles.last_lines(path, 3) == ["7", "8", "9"]
    assert logfiles.last_lines(tmp_path / "absent.log", 3) == []


def test_the_last_line_that_says_something(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("first\n  the   reason \n\n")
    assert logfiles.last_line(path) == "the reason"


def test_following_shows_new_lines_also_across_a_rotation(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("old\nlast\n")
    lines = logfiles.follow(path, 1)
    assert next(lines) == "last"
    with path.open("a") as writer:
        writer.write("new\n")
    assert next(lines) == "new"
    logfiles.rotate(path, max_bytes=1)
    with path.open("a") as writer:
        writer.write("after\n")
    assert next(lines) == "after"
