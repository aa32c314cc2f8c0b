"""A zone file, its server and its place on the disk where something is wrong: a sentence, and nothing half done."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from dnssync_providers import rfc2136
from dnssync_providers.zonefile import Provider

from dnssync.core.model import ProviderError, StaleZone
from tests.bind import Bind
from tests.providers.desk import ZONE, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk with an ordinary file on it."""
    desk = Desk(tmp_path)
    desk.lay("a TXT x\n")
    return desk


class TestUnreadable:
    """A file that cannot be taken whole is an error with its line; it is never an empty zone."""

    @pytest.mark.parametrize(
        ("text", "word"),
        [
            ('a TXT "x\n', 'line 8: a quote \\("\\) is not closed'),
            ("a TXT ( x\n", r"line 8: a \( is never closed"),
            ("a TXT x )\n", r"line 8: there is a \) without"),
            ("a TXTT x\n", "line 8: TXTT is no type"),
            ("a\n", "line 8: a record has no type"),
            ("a IN 5\n", "line 8: a record has no type"),
            ("a CH TXT x\n", "line 8: a record of class CH"),
            ("a A 192.0.2.256\n", "line 8: "),
            ("b TXT y\na A\n", "line 9: "),
            ("a TXT \\256\n", "line 8: "),
            (f"a TXT {'x' * 256}\n", "line 8: "),
            (f"{'x' * 64} TXT x\n", "line 8: "),
            ("$TTL\n", r"line 8: \$TTL needs a value"),
            ("$TTL soon\n", "line 8: "),
            ("$ORIGIN\n", r"line 8: \$ORIGIN needs a value"),
            ("$INCLUDE\n", r"line 8: \$INCLUDE needs a value"),
            ("$INCLUDE nowhere\n", "line 8: .*nowhere cannot be read"),
            ("$INCLUDE db.example.org\n", "deeper than 10"),
            ("$GENERATE 1-x a$ A 192.0.2.$\n", "line 8: "),
            ("$NONSENSE x\n", r"line 8: \$NONSENSE is no directive"),
        ],
    )
    def test_line(self, desk: Desk, text: str, word: str) -> None:
        """The sentence has zone, file and line, and the tool that says more."""
        desk.lay(text)
        with pytest.raises(ProviderError, match=word) as caught:
            desk.provider().read(ZONE)
        assert str(caught.value).startswith(f"{ZONE}: {desk.file}, line ")
        assert f"named-checkzone {ZONE} {desk.file}" in str(caught.value)

    def test_first_record_leans_on_nothing(self, desk: Desk) -> None:
        """A first record without an owner, or without any TTL, is no zone."""
        desk.lay("", "  IN SOA a b 1 1 1 1 1\n")
        with pytest.raises(ProviderError, match="line 1: the first record has no owner"):
            desk.provider().read(ZONE)
        desk.lay("", "a TXT x\n")
        with pytest.raises(ProviderError, match="line 1: no TTL"):
            desk.provider().read(ZONE)

    @pytest.mark.parametrize(
        "text", ["", "; nothing\n", "$TTL 5\n@ NS a.test.\n", "$TTL 5\nexample.net. SOA a b 1 1 1 1 1\n"]
    )
    def test_no_soa(self, desk: Desk, text: str) -> None:
        """An empty file, or another zone's, is not this zone."""
        desk.lay(text, "")
        with pytest.raises(ProviderError, match="has no SOA record"):
            desk.provider().read(ZONE)

    def test_not_there(self, desk: Desk) -> None:
        """A missing file is not made."""
        change = desk.change("new", "ours")
        desk.file.unlink()
        with pytest.raises(ProviderError, match=r"db\.example\.org of provider file cannot be read: No such file"):
            desk.provider().write(ZONE, [change])
        assert not desk.file.exists()


class TestPlace:
    """Where the file is and whose it is."""

    def test_directory(self, desk: Desk) -> None:
        """`directory` and `file_extension` make the name as octodns' plug-in does; `file` may stand elsewhere."""
        folder = desk.file.parent
        desk.file.rename(folder / "example.org.zone")
        assert Provider("p", directory=str(folder), file_extension=".zone").read(ZONE)
        (folder / "example.org.zone").rename(folder / "example.org.")
        assert Provider("p", directory=str(folder)).read(ZONE)
        (folder / "inc").mkdir()
        (folder / "inc" / "more").write_text("i TXT included\n")
        (folder / "example.org.").write_text((folder / "example.org.").read_text() + "$INCLUDE more\n")
        shown = Provider("p", directory=str(folder / "inc"), file=str(folder / "{zone}.")).read(ZONE)
        assert ("i", "TXT") in {rrset.key for rrset in shown}

    def test_owner_and_mode(self, desk: Desk) -> None:
        """Mode and group stay, so that the server can read what it could read."""
        desk.file.chmod(0o640)
        before = desk.file.stat()
        desk.provider().write(ZONE, [desk.change("new", "ours")])
        after = desk.file.stat()
        assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
        assert after.st_ino != before.st_ino

    def test_symbolic_link(self, desk: Desk) -> None:
        """A link stays a link, and the file that it leads to is written."""
        real = desk.file.parent / "elsewhere" / "zone"
        real.parent.mkdir()
        desk.file.rename(real)
        desk.file.symlink_to(real)
        desk.provider().write(ZONE, [desk.change("new", "ours")])
        assert desk.file.is_symlink()
        assert "new.example.org. 300 IN TXT" in real.read_text()

    @pytest.mark.parametrize(
        ("options", "word"),
        [
            ({}, "directory: is missing"),
            ({"directory": "/zones", "reload": "rndc reload"}, "reload: must be a list of words"),
            ({"reload": "rndc reload"}, "directory: is missing.*\nreload: must be"),
            ({"directory": "/zones", "reload": []}, "list of words"),
            ({"directory": "/zones", "reload": ["rndc", 5]}, "list of words"),
        ],
    )
    def test_options(self, options: dict[str, object], word: str) -> None:
        """Options that cannot be right are told when the provider is made."""
        with pytest.raises(ProviderError, match=word):
            Provider("file", **options)


class Runs:
    """A way to run commands that keeps what it was asked, and ends as the test says."""

    def __init__(self, end: int | Exception, stderr: str = "") -> None:
        self.asked: list[Sequence[str]] = []
        self._end, self._stderr = end, stderr

    def __call__(self, argv: Sequence[str], **options: object) -> subprocess.CompletedProcess[str]:
        """Run nothing."""
        self.asked.append(argv)
        assert options["timeout"]
        if isinstance(self._end, Exception):
            raise self._end
        return subprocess.CompletedProcess(argv, self._end, "", self._stderr)


class TestReload:
    """The command that makes the server load the file."""

    def test_words(self, desk: Desk) -> None:
        """It is run once a write, with zone and file filled in, and not where nothing was to be written."""
        run = Runs(0)
        one = desk.provider(reload=["rndc", "reload", "{zone}", "--file={file}"], run=run)
        assert one.write(ZONE, []) == ()
        assert run.asked == []
        assert one.write(ZONE, [desk.change("new", "ours")]) == ()
        assert run.asked == [["rndc", "reload", ZONE, f"--file={desk.file}"]]

    @pytest.mark.parametrize(
        ("run", "word"),
        [
            (Runs(1, "first\nrndc: connect failed\n\n"), "exit 1: rndc: connect failed"),
            (Runs(3), "exit 3: it said nothing"),
            (Runs(subprocess.TimeoutExpired("rndc", 60)), "no end after 60 seconds"),
            (Runs(FileNotFoundError(2, "No such file or directory")), "cannot be run .No such file"),
        ],
    )
    def test_failed(self, desk: Desk, run: Runs, word: str) -> None:
        """The file is written, the server does not know it: both are told, and what to run."""
        with pytest.raises(ProviderError, match=word) as caught:
            desk.provider(reload=["rndc", "reload"], run=run).write(ZONE, [desk.change("new", "ours")])
        assert f"{desk.file} is written (serial 8)" in str(caught.value)
        assert "`rndc reload` failed" in str(caught.value)
        assert desk.rrset("new").values[0].text == "ours"

    def test_owed(self, desk: Desk) -> None:
        """A reload that failed is run again though there is nothing to write, until it succeeds, and never again then."""
        owing, well = desk.provider(reload=["rndc", "reload"], run=Runs(1)), Runs(0)
        with pytest.raises(ProviderError, match="next `dnssync apply` runs it again"):
            owing.write(ZONE, [desk.change("new", "ours")])
        before = desk.text
        with pytest.raises(ProviderError, match=r"is written \(serial 8\)"):
            owing.write(ZONE, [])

        one = desk.provider(reload=["rndc", "reload"], run=well)
        assert one.write(ZONE, ()) == (
            f"the name server was told to load serial 8 of {desk.file}, which it was not before",
        )
        assert one.write(ZONE, ()) == ()
        assert well.asked == [["rndc", "reload"]]
        assert desk.text == before
        assert [path.name for path in desk.file.parent.iterdir()] == [desk.file.name]

    def test_owed_and_overtaken(self, desk: Desk) -> None:
        """The reload of a later write pays for the one before."""
        with pytest.raises(ProviderError):
            desk.provider(reload=["rndc"], run=Runs(1)).write(ZONE, [desk.change("new", "ours")])
        run = Runs(0)
        one = desk.provider(reload=["rndc"], run=run)
        one.write(ZONE, [desk.change("newer", "ours")])
        assert one.write(ZONE, ()) == ()
        assert run.asked == [["rndc"]]

    def test_not_owed(self, desk: Desk) -> None:
        """A write that did not come about owes nothing, and what was owed before it still is."""
        run = Runs(0)
        one = desk.provider(reload=["rndc"], run=run)

        def stale() -> None:
            def save() -> float:
                desk.file.write_text(desk.text + "; saved\n")
                return 0.0

            with pytest.raises(StaleZone):
                desk.provider(reload=["rndc"], run=run, now=save).write(ZONE, [desk.change("newer", "ours")])

        stale()
        assert one.write(ZONE, ()) == ()
        with pytest.raises(ProviderError):
            desk.provider(reload=["rndc"], run=Runs(1)).write(ZONE, [desk.change("new", "ours")])
        stale()
        assert run.asked == []
        assert len(one.write(ZONE, ())) == 1
        assert run.asked == [["rndc"]]

    def test_real_command(self, desk: Desk) -> None:
        """A real command's exit and last line."""
        one = desk.provider(reload=["sh", "-c", "echo no such zone >&2; exit 7"])
        with pytest.raises(ProviderError, match="exit 7: no such zone"):
            one.write(ZONE, [desk.change("new", "ours")])


@pytest.mark.bind
class TestJournal:
    """A zone that named updates dynamically is not what its file says."""

    def test_ahead(self, tmp_path: Path) -> None:
        """The file is neither read nor written while named's journal is ahead of it; a remedy is told."""
        with Bind(tmp_path / "bind", {ZONE: "a 300 TXT x\n"}) as bind:
            one = Provider("file", file=str(bind.zone_file(ZONE)))
            desk = Desk(tmp_path)
            desk.file = bind.zone_file(ZONE)
            desk.provider = lambda **_: one
            change = desk.change("new", "ours")
            rfc2136.Provider("bind", **bind.options()).write(ZONE, [desk.change("other", "theirs")])
            for ask in (lambda: one.read(ZONE), lambda: one.write(ZONE, [change])):
                with pytest.raises(ProviderError, match="class rfc2136, or `rndc sync -clean"):
                    ask()
            journal = bind.zone_file(ZONE).with_name(f"{ZONE}.zone.jnl")
            bind.zone_file(ZONE).with_name(f"{ZONE}.zone.signed").touch()
            assert one.read(ZONE), "with inline signing the journal is of named's own copy"
            bind.zone_file(ZONE).with_name(f"{ZONE}.zone.signed").unlink()
            journal.write_bytes(b"short")
            with pytest.raises(ProviderError, match="cannot be read"):
                one.read(ZONE)
