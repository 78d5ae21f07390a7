"""How pages are looked at, and where what was seen is kept."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "browser"
# The width of a phone, and of a desk.
WIDTHS = (390, 1280)
SCHEMES = ("light", "dark")
LANGUAGES = ("en", "de")
