"""The standard cells that are known by name: where their liberty files lie, and their official addresses.

The addresses are those of the platforms of OpenROAD-flow-scripts. They were not tried: the files at hand came from
there by another way, and the checksums are theirs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emamba.data.fetch import Progress, download, silent
from emamba.data.folders import cache
from emamba.data.sources import Download
from emamba.eda.liberty import Library, read
from emamba.eda.targets import FPGAS
from emamba.errors import ConfigError, DataError

NEARBY = Path("..") / "shared" / "pdk"
_PLATFORMS = "https://raw.githubusercontent.com/The-OpenROAD-Project/OpenROAD-flow-scripts/master/flow/platforms"


@dataclass(frozen=True)
class Pdk:
    """Standard cells of a process at one corner; `unused` are patterns of cells that are left alone."""

    name: str
    folder: str
    text: str
    downloads: tuple[Download, ...]
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """What `emamba pdk list` says of one; `folder` is None where it is missing."""

    name: str
    text: str
    folder: Path | None


def _asap7(kind: str, date: str, suffix: str, sha256: str) -> Download:
    file = f"asap7sc7p5t_{kind}_RVT_TT_nldm_{date}.lib{suffix}"
    return Download(file, (f"{_PLATFORMS}/asap7/lib/NLDM/{file}",), sha256)


def _one(platform: str, file: str, sha256: str) -> tuple[Download, ...]:
    return (Download(file, (f"{_PLATFORMS}/{platform}/lib/{file}",), sha256),)


PDKS = (
    Pdk(
        "sky130",
        "sky130hd",
        "SkyWater 130 nm, high density cells, Apache-2.0; typical, 1.8 V, 25 C",
        _one(
            "sky130hd",
            "sky130_fd_sc_hd__tt_025C_1v80.lib.gz",
            "210e56be3a3a0907b5241a34d277f664cf4b4d91dcb49a27ff813df4406a5889",
        ),
        ("*_probe*", "*_lpflow_*"),  # for test points and for several supplies
    ),
    Pdk(
        "asap7",
        "asap7",
        "ASAP7, predictive 7 nm FinFET (cannot be made), RVT, BSD-3; typical, 0.7 V, 25 C",
        (
            _asap7("SEQ", "220123", "", "57a0b403485b99ebd676942af4673ac086b86c7c75fbdc3e5c0038501dd22ba3"),
            _asap7("SIMPLE", "211120", ".gz", "073ac4b6b08f272b6953b0ad54d1d9743767a7d15a0e2964ed86cf44c3dbe00e"),
            _asap7("INVBUF", "220122", ".gz", "8d6db2c2f83c3c162be54a5e102b2d379fcaaaef2db5f0b1d4152c395d01fea1"),
            _asap7("AO", "211120", ".gz", "fe9f1c18e88ab129d63ad82adc256f3a85c7e38e47dabbe0a96749b41087dea1"),
            _asap7("OA", "211120", ".gz", "bbe6d904d58c7367de1ed7639e4eae386c65fa0a5af26ae62dc5e4e2ec52b08b"),
        ),
        # Weaker than one finger, for scan chains, with two asynchronous inputs, latches, and gates for large trees.
        ("*x1p*", "*xp*", "SDF*", "DFFASR*", "DLL*", "DHL*", "ICG*DC*"),
    ),
    Pdk(
        "sg13g2",
        "sg13g2",
        "IHP 130 nm BiCMOS, Apache-2.0; typical, 1.2 V, 25 C",
        _one(
            "ihp-sg13g2",
            "sg13g2_stdcell_typ_1p20V_25C.lib",
            "968b0cfdcefc49a88d9a5c48874769eaad9aba3509e1240b5e14a821bb07a3c4",
        ),
    ),
)


def catalogue() -> list[Entry]:
    """Every PDK, and where all of its files lie."""
    return [
        Entry(pdk.name, pdk.text, next((place / pdk.folder for place in places() if _paths(pdk, place)), None))
        for pdk in PDKS
    ]


def fetch(name: str, progress: Progress = silent) -> list[Path]:
    """Downloads the liberty files of a PDK to EMAMBA_PDK, else to the user's cache; what is there and right stays.

    DataError if no address gives a file with the right checksum, ConfigError if there is no such PDK.
    """
    pdk, folder = _named(name), places()[-1]
    try:
        return [download(item, folder / pdk.folder, progress) for item in pdk.downloads]
    except DataError as error:
        wanted = ", ".join(item.file for item in pdk.downloads)
        hint = f"try again; without a network get {wanted} elsewhere and put them into {folder / pdk.folder}"
        raise DataError(error.message, hint) from error


def library(target: str) -> Library:
    """The cells of a PDK, or of the liberty file that `target` names, or several with commas between them.

    ConfigError as of `liberty.read`.
    """
    if target not in {pdk.name for pdk in PDKS}:
        return read([_file(part) for part in target.split(",")])
    pdk = _named(target)
    for place in places():
        if paths := _paths(pdk, place):
            return read(paths, pdk.unused)
    looked = " nor ".join(str((place / pdk.folder).absolute()) for place in places())
    hint = f"run: emamba pdk fetch {target}; or name the folder above it with EMAMBA_PDK"
    raise ConfigError(f"{target} is not there: its files are not in {looked}", hint)


def places() -> tuple[Path, ...]:
    """Folders that may hold PDKs: EMAMBA_PDK, else `../shared/pdk` and the user's cache."""
    chosen = os.environ.get("EMAMBA_PDK")
    return (Path(chosen).expanduser(),) if chosen else (NEARBY, cache() / "pdk")


def _file(target: str) -> Path:
    if not target.removesuffix(".gz").endswith(".lib"):
        names = ", ".join([*FPGAS, *(pdk.name for pdk in PDKS)])
        raise ConfigError(f"there is no target {target!r}", f"there are: {names}, and any FILE.lib")
    return Path(target).expanduser()


def _named(name: str) -> Pdk:
    for pdk in PDKS:
        if pdk.name == name:
            return pdk
    raise ConfigError(f"there is no PDK {name!r}", f"there are: {', '.join(pdk.name for pdk in PDKS)}")


def _paths(pdk: Pdk, place: Path) -> Sequence[Path]:
    """Its files below `place`, packed or not; none if one is missing."""
    names = [item.file.removesuffix(".gz") for item in pdk.downloads]
    choices = [[place / pdk.folder / f"{name}{suffix}" for suffix in ("", ".gz")] for name in names]
    found = [next((path for path in both if path.is_file()), None) for both in choices]
    return [path for path in found if path] if all(found) else ()
