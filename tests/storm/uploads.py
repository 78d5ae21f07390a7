"""Sets of uploads as people and meters make them, the events that S3 sends, and what a plain loop makes of them."""

import datetime as dt
import random
from dataclasses import dataclass, field

from tests.storm.lake_double import LakeDouble
from tests.storm.pipeline import Event

NEW_YEAR = dt.datetime(2024, 1, 1)
STEPS_MINUTES = (60, 60, 60, 15, 30)
# From how many readings on an upload tells the interval of an appliance (docs/decisions/0009-changes.md).
TELLS_FROM = 24
MARKED, DELETED = "Delete Marker Created", "Permanently Deleted"

type Readings = dict[tuple[str, int], float]
"""kWh by appliance and minute of the year."""


@dataclass(frozen=True)
class Content:
    """One version's readings in even steps of `step` minutes; None for a file that is no table."""

    readings: Readings | None
    step: int

    def csv(self, chance: random.Random) -> bytes:
        if self.readings is None:
            return b"<html>not found</html>"
        rows = [
            f"{NEW_YEAR + dt.timedelta(minutes=minute)},{appliance},{kwh}"
            for (appliance, minute), kwh in self.readings.items()
        ]
        chance.shuffle(rows)
        return "\n".join(["timestamp,appliance,kwh", *rows, ""]).encode()


@dataclass
class Site:
    """What happened to the files of a site, one thing after the other, and the events of it."""

    chance: random.Random
    name: str = "home"
    clock: int = 0
    events: list[Event] = field(default_factory=list)
    counts: dict[str, tuple[dt.datetime, Content]] = field(default_factory=dict)
    _markers: dict[str, str] = field(default_factory=dict)
    _before: dict[str, tuple[dt.datetime, Content]] = field(default_factory=dict)

    def key(self, number: int) -> str:
        return f"raw/{self.name}/{number}.csv"

    def upload(self, lake: LakeDouble, key: str, content: Content) -> None:
        moment = self._tick()
        body = content.csv(self.chance)
        version_id = f"{key}@{self.clock}"
        lake.upload(key, body, version_id, moment)
        self._tell(key, version_id, moment, size=len(body))
        self._markers.pop(key, None)
        if content.readings is not None:
            self.counts[key] = moment, content
        else:
            # What was published stays; a deletion in between does not come back by a file that is refused.
            self._before.pop(key, None)

    def delete(self, lake: LakeDouble, key: str) -> None:
        moment = self._tick()
        marker = f"{key}@{self.clock}"
        lake.mark_deleted(key, marker, moment)
        self._tell(key, marker, moment, deletion_type=MARKED)
        self._markers[key] = marker
        if key in self.counts:
            self._before[key] = self.counts.pop(key)

    def restore(self, lake: LakeDouble, key: str) -> None:
        """Removes the delete marker, so that the version below it is current again."""
        moment = self._tick()
        marker = self._markers.pop(key)
        lake.versions[key] = [held for held in lake.versions[key] if held.version_id != marker]
        self._tell(key, marker, moment, deletion_type=DELETED)
        if key in self._before:
            self.counts[key] = self._before.pop(key)

    def may_be_restored(self, key: str) -> bool:
        return key in self._markers and key in self._before

    def _tick(self) -> dt.datetime:
        # Several things may happen in one second, as sequencers tell and times do not.
        self.clock += 1
        return dt.datetime(2025, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=self.clock // 2)

    def _tell(
        self, key: str, version_id: str, moment: dt.datetime, size: int = 1, deletion_type: str | None = None
    ) -> None:
        sequencer = f"{self.clock * 5:x}"  # of differing length
        self.events.append(Event(key, version_id, sequencer, moment, size, deletion_type))


def random_content(chance: random.Random) -> Content:
    """Two days at most of up to three appliances, anywhere in two months; now and then a file that is no table."""
    if chance.random() < 0.08:
        return Content(None, 60)
    step = chance.choice(STEPS_MINUTES)
    start = chance.choice([0, 0, 20, 29, 30, 31]) * 24 * 60 + chance.choice([0, 0, 6]) * 60
    count = chance.choice([1, 5, 26, 30])
    appliances = chance.sample(["oven", "fan", "car"], chance.randint(1, 2))
    readings = {
        (appliance, start + step * index): chance.randint(0, 90) / 10
        for appliance in appliances
        for index in range(count)
    }
    return Content(readings, step)


def random_site(lake: LakeDouble, chance: random.Random) -> Site:
    """A site whose files came, were corrected, deleted and restored."""
    site = Site(chance)
    for _ in range(chance.randint(2, 5)):
        key = site.key(chance.randint(1, 3))
        what = chance.random()
        if what < 0.2 and lake.read(key) is not None:
            site.delete(lake, key)
        elif what < 0.4 and site.may_be_restored(key):
            site.restore(lake, key)
        else:
            site.upload(lake, key, random_content(chance))
    return site


def expected(site: Site) -> Readings:
    """The readings that count, by a loop: from the latest upload on, each reading counts whose time is still free."""
    counting = sorted(site.counts.items(), key=lambda item: (item[1][0], item[0]), reverse=True)
    found: Readings = {}
    taken: set[tuple[str, int]] = set()
    for _, (_, content) in counting:
        own: set[tuple[str, int]] = set()
        for (appliance, minute), kwh in (content.readings or {}).items():
            # An interval is told month by month; what follows is within one, as no upload here is cut by midnight of
            # a month with enough readings on one side only.
            length = _interval(content, appliance, minute)
            interval = {(appliance, later) for later in range(minute, minute + length)}
            if not interval & taken:
                found[appliance, minute] = kwh
                own |= interval
        taken |= own
    return found


def _interval(content: Content, appliance: str, minute: int) -> int:
    """Minutes that a reading stands for: its step, where the month has enough of them; else an instant."""
    month = _month(minute)
    in_month = [at for name, at in content.readings or {} if name == appliance and _month(at) == month]
    return content.step if len(in_month) >= TELLS_FROM else 1


def _month(minute: int) -> int:
    return (NEW_YEAR + dt.timedelta(minutes=minute)).month
