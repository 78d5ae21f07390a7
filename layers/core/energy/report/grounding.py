"""Whether a sentence stands on the facts that it cites: what it may be made of, and what it may claim.

Zero tolerance: a text with a number of its own, an unknown fact, or a claim without the fact that bears it is refused,
even where it happens to be true. docs/decisions/0015-grounding.md says what this can and cannot notice.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from energy.report import lexicon
from energy.report.facts import PLACEHOLDER, FactSheet
from energy.report.lexicon import CITED

MAX_SENTENCE_LENGTH = 360
# No quantity, so that no word can misrepresent it.
_NOT_A_FIGURE = {"text", "word", "told", "date", "datetime", "hour", "weekday"}
# About no one's energy: settings, and the counts that say how something was computed.
_NOBODYS = re.compile(r"AN\.deviations|save\.cap_share|trend\.days|site\.(?:days|\w*band)|F\.level|[A-Z]+\d*\.name")
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")
_OWNER = re.compile(r"((?:A|AN|R)\d+)\.")
_APPLIANCE = re.compile(r"A\d+")
_HIGHEST = re.compile(r"(?:longest|highest|largest|most|top|busiest)(?:_|$)|peak_hour$|peak_power_kw$")
_LOWEST = re.compile(r"(?:shortest|lowest|smallest|least|cheapest|quietest)(?:_|$)|base_kw$")
_BY_RANK = re.compile(r"A\d+\.(?P<name>kwh|share|rank|peak_share)$")
_UPPER_LIMIT = re.compile(r".*(?:_high|_upper|cap_share|base_kw|base_share)$")
_LOWER_LIMIT = re.compile(r"AN\.deviations$|.*(?:_low|_lower|threshold)$")


@dataclass(frozen=True)
class About:
    """Whose text it is: the appliance and the recommendation whose facts it may cite, and the families it may not.

    Advice may speak of a lower setpoint without comparing anything that was read.
    """

    appliance: str | None = None
    recommendation: str | None = None
    foreign: re.Pattern[str] | None = None
    is_advice: bool = False


@dataclass(frozen=True)
class Sentence:
    """One sentence: as written, the facts it cites, and its words, lower-case, with the sign ◆ for every fact."""

    written: str
    facts: list[str]
    words: str


def problems_of(text: str, sheet: FactSheet, about: About) -> Iterator[tuple[str, str]]:
    """Everything in a text that the facts do not bear: a kind of problem, and what it is about."""
    if not re.search(r"\w", PLACEHOLDER.sub("", text)):
        yield "empty", "there are no words"
    yield from _foreign_characters(text)
    yield from _foreign_facts(text, sheet, about)
    cited = set(PLACEHOLDER.findall(text))
    if cited - sheet.facts.keys():
        return
    sentences = [_sentence(written) for written in _SENTENCE_END.split(text)]
    for sentence in sentences:
        if len(sentence.written) > MAX_SENTENCE_LENGTH:
            yield "length", f"a sentence is longer than {MAX_SENTENCE_LENGTH} characters"
        yield from _numbers(sentence)
        yield from _units(sentence)
        yield from _limits(sentence, sheet)
        yield from _comparisons(sentence, sheet, about.is_advice)
        yield from _named_comparisons(sentence, sheet)
        yield from _claims(sentence, sheet)
    yield from _language(text, sheet.language)
    yield from _subjects(sentences, sheet, about)
    yield from _ranges(text, sheet)


def _sentence(written: str) -> Sentence:
    words = PLACEHOLDER.sub(CITED, unicodedata.normalize("NFKC", written)).lower()
    return Sentence(written, PLACEHOLDER.findall(written), " ".join(words.split()))


def _foreign_characters(text: str) -> Iterator[tuple[str, str]]:
    """An alphabet, not a list of what is bad: no digit or numeral of any script, no sign of a unit or a currency, no
    markup, no invisible or direction-changing character, no letter that only looks like a Latin one.
    """
    rest = PLACEHOLDER.sub("", text)
    for char in dict.fromkeys(rest):
        if char in lexicon.LETTERS or char in lexicon.PUNCTUATION:
            continue
        kind = unicodedata.category(char)
        if kind[0] == "N" or any(unicodedata.category(one)[0] == "N" for one in unicodedata.normalize("NFKC", char)):
            yield "number", f"the character {char!r} outside a placeholder"
        elif char in "{}":
            yield "brace", "a brace that is not part of a placeholder"
        elif kind[0] == "C" or kind in {"Zl", "Zp"}:
            yield "invisible character", f"U+{ord(char):04X}"
        elif char in "<>[]|\\`*_#~^=+@&":
            yield "markup", f"the character {char!r}"
        else:
            yield "character", f"the character {char!r}"
    if lexicon.LINK.search(rest):
        yield "link", "a web address"


def _foreign_facts(text: str, sheet: FactSheet, about: About) -> Iterator[tuple[str, str]]:
    for fact in PLACEHOLDER.findall(text):
        owner = _OWNER.match(fact)
        if fact not in sheet.facts:
            yield "unknown fact", f"there is no fact {fact}"
        elif sheet.facts[fact].value is None:
            yield "unknown fact", f"fact {fact} is not known"
        elif owner and owner[1].startswith("R") and owner[1] != about.recommendation:
            yield "foreign fact", f"fact {fact} belongs to another recommendation"
        elif about.appliance and owner and _APPLIANCE.fullmatch(owner[1]) and owner[1] != about.appliance:
            yield "foreign fact", f"fact {fact} is not about {about.appliance}"
        elif about.foreign and about.foreign.match(fact):
            yield "foreign fact", f"fact {fact} does not belong into this section"


def _language(text: str, language: str) -> Iterator[tuple[str, str]]:
    words = PLACEHOLDER.sub("", text).lower()
    counts = {code: len(common.findall(words)) for code, common in lexicon.COMMON_WORDS.items()}
    other = max(counts, key=lambda code: counts[code])
    if counts[other] >= 2 and counts[other] > counts[language]:
        yield "language", f"it is written in {other!r}, not in {language!r}"


def _numbers(sentence: Sentence) -> Iterator[tuple[str, str]]:
    outside = PLACEHOLDER.sub(" ", sentence.written)
    found = lexicon.NUMBER_WORDS.search(sentence.words) or lexicon.ROMAN_NUMERAL.search(outside)
    if found:
        yield "number", f"the word {found[0]!r}"


def _units(sentence: Sentence) -> Iterator[tuple[str, str]]:
    if found := lexicon.UNIT_WORDS.search(sentence.words):
        yield "unit", f"{found[0]!r} outside a placeholder: a fact brings its unit"
    for found, fact in _at_facts(lexicon.TIME_AFTER_FACT, sentence):
        unit = next(unit for word, unit in lexicon.TIME_UNITS.items() if found["word"].startswith(word))
        name = fact.rpartition(".")[2]
        if unit not in name and not (unit == "hour" and "anomal" in name):
            yield "unit", f"{fact} does not count {found['word']}"


def _at_facts(pattern: re.Pattern[str], sentence: Sentence) -> Iterator[tuple[re.Match[str], str]]:
    """Every match of a pattern that holds one ◆, with the fact that is cited there."""
    for found in pattern.finditer(sentence.words):
        place = sentence.words.count(CITED, 0, found.start() + found[0].index(CITED))
        yield found, sentence.facts[place]


def _limits(sentence: Sentence, sheet: FactSheet) -> Iterator[tuple[str, str]]:
    """A figure is what it is, not "almost" or "more than" it, unless it is a limit."""
    for pattern, limit in ((lexicon.AT_LEAST, _LOWER_LIMIT), (lexicon.AT_MOST, _UPPER_LIMIT)):
        for found, fact in _at_facts(pattern, sentence):
            lasting = sheet.facts[fact].unit == "count" and fact.endswith("days")
            if sheet.facts[fact].unit not in _NOT_A_FIGURE and not limit.match(fact) and not lasting:
                yield "limit", f"{found[0].replace(CITED, fact)!r}, which is a figure and no limit"


def _comparisons(sentence: Sentence, sheet: FactSheet, is_advice: bool) -> Iterator[tuple[str, str]]:
    """Superlatives stand beside the figure that is the extreme, changes beside the fact of their direction."""
    language, words = sheet.language, sentence.words
    extremes = {extreme for fact in sentence.facts for extreme in _extremes(fact, sheet)}
    for pattern, needed in ((lexicon.LARGEST, "high"), (lexicon.SMALLEST, "low")):
        if (found := pattern[language].search(words)) and needed not in extremes:
            yield "superlative", f"{found[0]!r} without a fact of that rank"
    shares = [sheet.facts[fact] for fact in sentence.facts if sheet.facts[fact].unit == "share"]
    if (found := lexicon.MOST_OF[language].search(words)) and not any(float(one.value or 0) > 0.5 for one in shares):
        yield "superlative", f"{found[0]!r} without a share of more than half"
    cited = {sheet.facts[fact].value for fact in sentence.facts if fact.endswith("_direction")}
    directions_of = {name for fact in sentence.facts for name in _directions_of(fact)}
    compared = {sheet.facts[name].value for name in directions_of if name in sheet.facts}
    for pattern, directions, borne_by in (
        (lexicon.RISEN, cited, {"more"}),
        (lexicon.FALLEN, cited, {"less"}),
        (lexicon.SAME, compared, {"about as much"}),
        (lexicon.CHANGE, cited, {"more", "less", "about as much"}),
        *(() if is_advice else ((lexicon.HIGHER, cited, {"more"}), (lexicon.LOWER, cited, {"less"}))),
    ):
        if (found := pattern[language].search(words)) and not directions & borne_by:
            yield "trend", f"{found[0]!r} without a fact of that direction"


def _named_comparisons(sentence: Sentence, sheet: FactSheet) -> Iterator[tuple[str, str]]:
    """More than another appliance: the one named before it has to come before it by energy."""
    for pattern, first_is_larger in ((lexicon.MORE_THAN_NAMED, True), (lexicon.LESS_THAN_NAMED, False)):
        for found, fact in _at_facts(pattern, sentence):
            before = sentence.facts[: sentence.words.count(CITED, 0, found.start())]
            named = [one for one in before if one.endswith(".name")]
            if not fact.endswith(".name") or not named:
                continue
            own, other = _rank(named[-1], sheet), _rank(fact, sheet)
            if not own or not other or (own < other) != first_is_larger:
                yield "superlative", f"a comparison with {fact} that their ranks do not bear"


def _rank(name: str, sheet: FactSheet) -> float:
    rank = f"{name.removesuffix('.name')}.rank"
    return sheet.number(rank) if sheet.known(rank) else 0


def _directions_of(fact: str) -> Iterator[str]:
    """The facts that say how what a fact tells of has changed; the last days are what the days ahead are held to."""
    yield f"{fact.partition('.')[0]}.change_direction"
    if fact == "trend.days":
        yield "F.change_direction"


def _extremes(fact: str, sheet: FactSheet) -> set[str]:
    """Whether a fact is by definition the highest or the lowest of its kind."""
    family, _, name = fact.partition(".")
    if ranked := _BY_RANK.match(fact):
        place = f"{family}.{'peak_rank' if ranked['name'] == 'peak_share' else 'rank'}"
        rank = sheet.number(place) if sheet.known(place) else 0
        last = len(sheet.appliances)
        return ({"high"} if rank == 1 else set()) | ({"low"} if rank == last > 1 else set())
    if name == "same_class":
        return {"low"} if sheet.number(f"{family}.smallest_of_class") else set()
    highest = family == "AN1" or _HIGHEST.search(name)
    return ({"high"} if highest else set()) | ({"low"} if _LOWEST.search(name) else set())


def _claims(sentence: Sentence, sheet: FactSheet) -> Iterator[tuple[str, str]]:
    figures = [fact for fact in sentence.facts if sheet.facts[fact].unit not in _NOT_A_FIGURE]
    for claim in lexicon.CLAIMS:
        found = claim.words[sheet.language].search(sentence.words)
        if found and figures and not any(claim.facts.match(fact) for fact in sentence.facts):
            yield "claim", f"{found[0]!r} with figures that are not about {claim.name}"
        said = found or (claim.or_said_by and claim.or_said_by.search(sentence.words))
        if not said and claim.facts_need_words:
            bare = [fact for fact in figures if claim.facts_need_words.match(fact)]
            if bare:
                yield "claim", f"{bare[0]} is {claim.name}, which the sentence does not say"
        saving = claim is lexicon.SAVING and any(claim.facts.match(fact) for fact in figures)
        if found and saving and not lexicon.HEDGED.search(sentence.words):
            yield "claim", "a saving is possible, not certain: may, could, up to"


def _subjects(sentences: list[Sentence], sheet: FactSheet, about: About) -> Iterator[tuple[str, str]]:
    """An appliance's figure follows its own name; the home's follows no appliance's name, unless as what it is part of.

    A sentence that begins with a pronoun goes on about what the one before was about.
    """
    subject = about.appliance
    for sentence in sentences:
        if not lexicon.PRONOUN.search(sentence.words):
            subject = about.appliance
        before = sentence.words.split(CITED)
        for place, fact in enumerate(sentence.facts):
            owner = _owner(fact, sheet)
            if owner and fact.endswith(".name"):
                subject = owner
            elif sheet.facts[fact].unit in _NOT_A_FIGURE or _NOBODYS.match(fact):
                continue
            elif owner and owner != subject:
                yield "subject", f"{fact} does not follow {{{{{owner}.name}}}}"
            elif subject and not owner and not lexicon.OF_WHAT.search(before[place]):
                yield "subject", f"{fact} is about the home, not about {subject}"


def _owner(fact: str, sheet: FactSheet) -> str | None:
    owner = _OWNER.match(fact)
    if owner and owner[1].startswith("R"):
        return next((one.appliance for one in sheet.recommendations if one.id == owner[1]), None)
    return owner[1] if owner else None


def _ranges(text: str, sheet: FactSheet) -> Iterator[tuple[str, str]]:
    """Who says the upper end of a range says the lower one too, or that it is the upper end."""
    cited = dict.fromkeys(PLACEHOLDER.findall(text))
    if any(fact.endswith("_high") for _, fact in _at_facts(lexicon.AT_MOST, _sentence(text))):
        return
    for fact in cited:
        low = re.sub(r"_high$", "_low", fact)
        if low != fact and low in sheet.facts and low not in cited and sheet.text(low) != sheet.text(fact):
            yield "range", f"{fact} without {low}"
