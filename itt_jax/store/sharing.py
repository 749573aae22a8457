"""Keeping a results folder and a shared folder in step, so that workers on several machines drain one plan.

    SHARED/<name>                    a file of a results folder (PATTERNS), preceded by a line with its SHA-256
    SHARED/of/<version>/<name>       the same for predictions (MADE), with the version of the training they come from
    SHARED/stages/<id>/<version>/    a checkpoint, manifest.json last; the version is that of the record beside it
    SHARED/claims/<name>/<n>         who is doing what (`store.slots`)

Files are only added, and if two have one name the first stays: in the end all workers see the same folder, in whatever
order they add files. Derived files (plan, results, report) and a machine's own (log, token ids, training states) are
not shared. A checkpoint is fetched where it is needed.

A results folder holds predictions only of the trainings that its records describe: others are not fetched, and are set
aside if a record is replaced. So predictions of two trainings of one stage, perhaps on two kinds of device, are never
mixed.
"""

import contextlib
import hashlib
import json
import math
import pathlib
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from itt_jax import files
from itt_jax.errors import InputError, SharingError
from itt_jax.store import origins
from itt_jax.store.blocks import is_whole
from itt_jax.store.origins import MADE, version
from itt_jax.store.shared_folders import SharedFolder, together

PATTERNS = (
    "declared/*.json",
    "precision/*",
    "looks/*/*.json",
    "stages/*/record.json",
)
"""Patterns of the files that are shared under their own names; records precede the predictions MADE from them."""
NOTE = "shared_folder.txt"
"""The file of a results folder that names its shared folder; written before the first file is fetched."""
WAITS = (1, 2, 4, 8, 15, 30, 60, 60, 60)
"""Seconds before each new attempt while the shared folder cannot be reached."""
ATTEMPTS = 3
"""How often a file is fetched whose content is not what was written."""
PULL_SECONDS = 10
"""Minimum time between two listings of the shared folder while a study runs."""
_OF = re.compile(r"of/([0-9a-f]{16})/")
REGEXES = {
    pattern: re.compile((_OF.pattern if pattern in MADE else "") + re.escape(pattern).replace(r"\*", "[^/.][^/]*"))
    for pattern in (*PATTERNS, *MADE)
}
"""Pattern of a results folder -> names in the shared folder, in the order in which files are sent and fetched."""
T = TypeVar("T")


def noted(out: pathlib.Path) -> str | None:
    """The URL or path of the shared folder that a results folder names; None if it names none.

    Raises:
        InputError: the file with its name cannot be read.
    """
    path = out / NOTE
    return files.read_bytes(path).decode(errors="replace").strip() if files.exists(path) else None


def check_shared(out: pathlib.Path, url: str | None) -> None:
    """Check that a worker uses the same shared folder as earlier workers on this results folder.

    Raises:
        InputError: the results folder names a different shared folder from `url`, or one although `url` is None.
    """
    named = noted(out)
    if named not in (None, url):
        given = f"--share {url}" if url else "no --share"
        raise InputError(
            f"{out / NOTE}: found {named!r:.200}, but {given} was given; expected --share {named}, since claims "
            "are there (once no other worker is left, this file may be removed)"
        )


class Sharing:
    """One worker's results folder and the shared folder.

    Args:
        out: the results folder. shared: the shared folder.

    Attributes:
        sent: the names of the files that this worker has added to the shared folder, in order.
        say: called with a line when the shared folder cannot be reached and is tried again.
    """

    def __init__(self, out: pathlib.Path, shared: SharedFolder):
        self.out, self.shared = out, shared
        self.sent: list[str] = []
        self.say: Callable[[str], None] = lambda line: None
        self._agreed: dict[str, str] = {}  # name here -> version, for files that are the same here and there
        self._waits: tuple[int, ...] | None = None
        self._warned = -math.inf
        self._pulled = 0.0

    # --- Both ways

    def push(self, claimed: str = "") -> None:
        """Add the files that the shared folder lacks; if it has another file of the same name, take that one.

        Args:
            claimed: a stage that this worker holds, whose record may replace the one that is there: the stage was made
                again because nobody had its checkpoint any more.

        Raises:
            SharingError: the shared folder cannot be reached for minutes.
        """
        if claimed:
            self.push_record(claimed)
        for pattern in REGEXES:
            together(self._send, [name for name in self._local(pattern) if name not in self._agreed])

    def push_record(self, claimed: str) -> None:
        """As `push`, for the record and the checkpoint of a stage that this worker holds."""
        name = f"stages/{claimed}/record.json"
        if (self.out / name).is_file() and self._agreed.get(name) != version((self.out / name).read_bytes()):
            self._send_record(name, replaces=name in self._agreed)

    @contextlib.contextmanager
    def impatient(self) -> Iterator[None]:
        """Within this context, each operation is tried only once."""
        self._waits = ()
        try:
            yield
        finally:
            self._waits = None

    def is_due(self) -> bool:
        """Whether the shared folder has not been listed for a while."""
        return time.monotonic() - self._pulled >= PULL_SECONDS

    def pull(self, records: bool = False) -> None:
        """Fetch the files that this folder lacks.

        Args:
            records: whether to read again the records that are here; a stage may have been made again.

        Raises:
            SharingError: as `push`, or a file's content is not what was written.
            InputError: the folders differ in the precision of an encoder.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        files.create_text(self.out / NOTE, f"{self.shared.url}\n")
        self._receive_all(self._try(self.shared.names), self._receive_claimed if records else self._receive)
        self._pulled = time.monotonic()

    def pull_names(self, names: Iterable[str]) -> None:
        """Fetch files that former holders of a claim have made, without a listing, which may be late."""
        self._receive_all(list(names), self._receive_claimed)

    def choose(self, name: str, content: bytes) -> bytes:
        """Choose the content of a file once for all workers; returns the choice of the first."""
        if self._try(self.shared.create, name, _framed(content)):
            return content
        return self._read(name) or content

    # --- Checkpoints

    def fetch_checkpoint(self, stage: str) -> bool:
        """Fetch a stage's parameters with their record; returns whether the shared folder has them.

        Raises:
            SharingError: they are not what was written, or the shared folder cannot be reached.
        """
        name = f"stages/{stage}/record.json"
        record = self._read(name)
        if record is None:
            return False
        self._set_aside(name, record)
        above, path = f"stages/{stage}/{version(record)}", self.out / "stages" / stage / "checkpoint"
        for attempt in range(ATTEMPTS):
            manifest = self._try(self.shared.tail, f"{above}/{files.MANIFEST}", files.MOST_MANIFEST_BYTES + 1)
            if manifest is None:
                return False
            try:
                with files.new_folder(path) as partial:
                    for inner in _listed(manifest):
                        content = self._try(self.shared.read, f"{above}/{inner}")
                        (partial / inner).parent.mkdir(parents=True, exist_ok=True)
                        (partial / inner).write_bytes(content or b"")
                    (partial / files.MANIFEST).write_bytes(manifest)
                    files.check_manifest(partial, "checkpoint")
                break
            except InputError as error:
                if attempt == ATTEMPTS - 1:
                    raise SharingError(
                        f"{self.shared.url}/{above}: damaged: {error}; remove {above}, and the stage is made again"
                    ) from error
        self._keep(name, record)
        return True

    def _send_record(self, name: str, replaces: bool) -> None:
        """Send a checkpoint that is there, and then the record, unless another worker has recorded the stage."""
        content = (self.out / name).read_bytes()
        self.sent.append(name)
        if not replaces and (found := self._read(name)) is not None:
            return self._take_record(name, found)
        above, folder = f"{name.removesuffix('/record.json')}/{version(content)}", self._checkpoint(name)
        with contextlib.suppress(InputError, FileNotFoundError):  # a damaged one is named when it is read here
            files.check_manifest(folder, "checkpoint")
            manifest = (folder / files.MANIFEST).read_bytes()
            for inner in _listed(manifest):
                self._try(self.shared.write, f"{above}/{inner}", (folder / inner).read_bytes())
            self._try(self.shared.write, f"{above}/{files.MANIFEST}", manifest)
        put: Callable[[str, bytes], bool | None] = self.shared.write if replaces else self.shared.create
        if self._try(put, name, _framed(content)) is False:
            self._take_record(name, self._read(name))
        else:
            self._agreed[name] = version(content)

    def _take_record(self, name: str, record: bytes | None) -> None:
        """Replace a record by that of the shared folder, and the checkpoint, which is another model's."""
        path, checkpoint = self.out / name, self._checkpoint(name)
        if record is None:
            return
        if path.is_file() and path.read_bytes() == record:
            self._agreed[name] = version(record)
            return
        self._set_aside(name, record)
        if checkpoint.is_dir():
            if self.fetch_checkpoint(path.parent.name):
                return
            files.remove_folder(checkpoint)
        self._keep(name, record)

    def _checkpoint(self, name: str) -> pathlib.Path:
        """The folder of the parameters that belong to a record."""
        return (self.out / name).parent / "checkpoint"

    def set_aside(self, stage: str, record: bytes) -> None:
        """Set aside the predictions of a stage before a record of another training replaces its own."""
        self._set_aside(f"stages/{stage}/record.json", record)

    def _set_aside(self, name: str, record: bytes) -> None:
        path = self.out / name
        if path.is_file() and path.read_bytes() != record:
            for own in origins.set_aside(self.out, path.parent.name):
                self._agreed.pop(own, None)

    # --- Single files

    def _send(self, own: str) -> None:
        if own.endswith("/record.json"):
            return self._send_record(own, replaces=False)
        content = (self.out / own).read_bytes()
        if own.endswith(".parquet") and not is_whole(own, content):
            return  # it will be set aside and made again
        if (name := self._shared_name(own, content)) is None:
            return
        if not self._try(self.shared.create, name, _framed(content)):
            self._differ(own, content, self._read(name))
        self._agreed.setdefault(own, version(content))
        self.sent.append(name)

    def _shared_name(self, own: str, content: bytes) -> str | None:
        """The name in the shared folder of a file that is here; None for predictions without a record."""
        if not own.startswith(("attacks/", "transfer/", "cells/")):
            return own
        of = origins.origin(self.out, own, content)
        return of and f"of/{of}/{own}"

    def _differ(self, name: str, own: bytes, other: bytes | None) -> None:
        """Take the file of the shared folder, unless results here rest on ours."""
        if other is None or other == own:
            return
        if name.startswith("precision/"):
            raise InputError(
                f"--share {self.shared.url}: {name} is {other.decode(errors='replace').strip()!r:.40} there and "
                f"{own.decode(errors='replace').strip()!r:.40} in {self.out}; expected folders of one precision"
            )
        self._keep(name, other)

    def _receive_all(self, names: list[str], receive: Callable[[str], None]) -> None:
        """Fetch files; predictions only if their training is the one recorded here."""
        for pattern, regex in REGEXES.items():
            found = [name for name in names if regex.fullmatch(name)]
            if found and pattern in MADE and not pattern.startswith("transfer/"):
                recorded = origins.versions(self.out)
                found = [name for name in found if name.split("/")[1] in recorded]
            together(receive, found)

    def _receive(self, name: str) -> None:
        """Fetch a file that is not here or not known to be the same; files named by their content are known."""
        own = own_name(name)
        is_here = (self.out / own).is_file()
        if not is_here or (own not in self._agreed and not own.endswith(".parquet")):
            self._receive_anew(name)
        elif own not in self._agreed and self._shared_name(own, (self.out / own).read_bytes()) == name:
            self._agreed[own] = ""

    def _receive_claimed(self, name: str) -> None:
        """As `_receive`, but a record may be that of a stage that was made again."""
        (self._receive_anew if name.endswith("/record.json") else self._receive)(name)

    def _receive_anew(self, name: str) -> None:
        """Fetch a file, whatever is here."""
        own, content = own_name(name), self._read(name)
        path = self.out / own
        if content is None or (own.startswith("transfer/") and self._shared_name(own, content) != name):
            return
        if own.endswith("/record.json"):
            self._take_record(own, content)
        elif not path.is_file():
            self._keep(own, content)
        else:
            self._differ(own, path.read_bytes(), content)
        self._agreed[own] = version(content)

    def _read(self, name: str) -> bytes | None:
        """A file of the shared folder, checked; None if there is none."""
        size = 0
        for _ in range(ATTEMPTS):
            found = self._try(self.shared.read, name)
            if found is None:
                return None
            size = len(found)
            if (content := unframed(found)) is not None:
                return content
        raise SharingError(
            f"{self.shared.url}/{name}: damaged: its {size:,} bytes differ from what was written; remove it, "
            "and a worker that has it adds it again when it starts"
        )

    def _keep(self, own: str, content: bytes) -> None:
        files.write_bytes(self.out / own, content)
        self._agreed[own] = version(content)

    def _local(self, pattern: str) -> list[str]:
        """The names of the files of one pattern that are here."""
        found = (path.relative_to(self.out).as_posix() for path in sorted(self.out.glob(pattern)))
        return [own for own in found if "/." not in own]

    def _try(self, call: Callable[..., T], *arguments: object) -> T:
        """The result of a call, which is repeated for minutes while the shared folder cannot be reached."""
        waits = WAITS if self._waits is None else self._waits
        for number, wait in enumerate(waits):
            try:
                return call(*arguments)
            except SharingError as error:
                if error.lasts:
                    raise
                if number == 0 and time.monotonic() - self._warned > sum(waits):
                    self._warned = time.monotonic()
                    self.say(f"warning: --share {error}; trying again for {sum(waits)} s")
                time.sleep(wait)
        return call(*arguments)


def _listed(manifest: bytes) -> list[str]:
    """The names in the manifest of a checkpoint; `manifest` may be cut off one byte after the allowed size.

    Raises:
        InputError: it is damaged, or larger.
    """
    if len(manifest) > files.MOST_MANIFEST_BYTES:
        raise InputError(f"{files.MANIFEST}: found more than the {files.MOST_MANIFEST_BYTES} bytes that it may have")
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(manifest)
        if isinstance(found, dict) and all(name and files.is_inside(name) for name in found):
            return list(found)
    raise InputError(f"{files.MANIFEST} of a checkpoint: expected an object with the names of its files")


def _framed(content: bytes) -> bytes:
    return _checksum(content).encode() + b"\n" + content


def unframed(found: bytes) -> bytes | None:
    """The content with which a file of the shared folder was written; None if the file is damaged."""
    checksum, _, content = found.partition(b"\n")
    return content if checksum == _checksum(content).encode() else None


def own_name(name: str) -> str:
    """The name in a results folder of a file of the shared folder."""
    return _OF.sub("", name, count=1)


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
