"""What a power failure leaves of a folder, by `flushed_calls.c`: what was flushed to the disk."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("flushed_calls.c")


@dataclass(frozen=True)
class Disk:
    """Of the folder `place`, which is on the disk when this begins; `notes` is a folder for what is
    flushed."""

    place: Path
    notes: Path

    def environment(self) -> dict[str, str]:
        """What tells the library; nothing is flushed yet."""
        shutil.rmtree(self.notes, ignore_errors=True)
        self.notes.mkdir()
        return {"FLUSHED_PLACE": str(self.place.resolve()), "FLUSHED_DISK": str(self.notes)}

    def cut_power(self, names: bool) -> None:
        """Leave in `place` what is on the disk for certain; with `names` the present names too, which the
        system may have written unasked, before what the files hold."""
        rest = self.place.with_name("rest")
        self._leave(self.place, self.place.stat().st_ino, rest, names)
        shutil.rmtree(self.place)
        rest.rename(self.place)

    def _leave(self, now: Path | None, inode: int, rest: Path, names: bool) -> None:
        rest.mkdir()
        for child, name in self._list(now, inode, names):
            here = now / name if now is not None and (now / name).exists() else None
            data = self.notes / f"{child}.data"
            if (self.notes / f"{child}.names").exists() or (here is not None and here.is_dir()):
                self._leave(here, child, rest / name, names)
            else:  # a file that has a name alone is empty
                (rest / name).write_bytes(data.read_bytes() if data.exists() else b"")

    def _list(self, now: Path | None, inode: int, names: bool) -> list[tuple[int, str]]:
        """The numbers and names in a folder."""
        if names and now is not None:
            return [(path.stat().st_ino, path.name) for path in now.iterdir()]
        noted = self.notes / f"{inode}.names"
        lines = noted.read_text().splitlines() if noted.exists() else []
        return [(int(number), name) for number, name in (line.split(" ", 1) for line in lines)]
