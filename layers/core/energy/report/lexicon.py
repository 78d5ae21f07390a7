"""The words that a text may not use by itself, in the languages of the report: numbers, comparisons, claims.

Patterns are searched in lower-case text with single spaces, in which the sign ◆ stands for every fact cited.
"""

import re
from dataclasses import dataclass

# Where a fact is cited. Nobody can write it: it is not among the characters that a text may have.
CITED = "◆"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZäöüÄÖÜßéèàç"
PUNCTUATION = " .,;:!?'’‘‚\"“”„«»()-–—…/"  # noqa: RUF001


def _words(listed: str, then: str = r"\b") -> re.Pattern[str]:
    """Any of these words, which are parted by spaces: `*` is any more letters, `_` a space, the rest as in patterns."""
    alternatives = "|".join(word.replace("*", r"\w*").replace("_", " ") for word in listed.split())
    return re.compile(rf"\b(?:{alternatives}){then}")


# A number word of one language is refused in all: a text may change its language in mid-sentence. German "achten" is
# no number, "zweifellos" none either.
NUMBER_WORDS = _words("""
    one once two* twice three* thri* thir(?:d|t)* four* fort(?:y|ie)* five* fif* six* seven* eight* nine* ten tens
    tenth* tenfold eleven* twel* twen* hundred* thousand* *illions? *illionths? dozens? half halves halv* doubl*
    tripl* trebl* quadrupl* quarter* seconds? secondly zero* nil nought percent* per_cent pct couple pair majority
    minority
    eins einmal* zwei(?!f)* zwo drei(?!st)* dritt* vier* fünf* sechs* sechzehn* sechzig* sieben* siebzehn* siebzig*
    acht(?:e|er|es)? acht(?:zehn|zig|mal|fach|tel|einhalb)* neun* zehn* elf* zwölf*
    *(?:zehn|zwanzig|dreißig|dreissig|vierzig|fünfzig|sechzig|siebzig|achtzig|neunzig|hundert|tausend)* million*
    milliarde* dutzend* hälfte* halb(?:e|en|er|es)? halbier* *doppel* verdreifach* vervierfach* prozent* null paar
    mehrheit minderheit
""")
# Level IV, class XII.
ROMAN_NUMERAL = re.compile(r"\b[IVXLCDM]{2,}\b")
# A fact brings its own unit.
UNIT_WORDS = _words("""
    [kmg]?wh [kmg]?w watts? kilowatts? megawatts? *watt-?hours? *wattstunden? *joules? volts? amps? amperes? euros?
    eur dollars? usd pounds? gbp pence cents? francs? chf yen rupees? pfund rappen franken kilograms? kilogramm kg
    grams? gramm tonnes? tons? tonnen? degrees? grad celsius fahrenheit
""")
TIME_AFTER_FACT = re.compile(
    rf"{CITED} (?:(?:complete|full|whole|vollständigen?|ganzen?) )?"
    r"(?P<word>minutes?|hours?|days?|weeks?|months?|years?"
    r"|minuten?|stunden?|tagen?|tage|wochen?|monaten?|monate|jahren?|jahre)\b"
)
# What such a word counts, as the last part of a fact's id names it.
TIME_UNITS = {
    "minute": "minute",
    "hour": "hour",
    "day": "day",
    "week": "week",
    "month": "month",
    "year": "year",
    "stunde": "hour",
    "tag": "day",
    "woche": "week",
    "monat": "month",
    "jahr": "year",
}
# "Almost", "more than", "at least" before a figure make another figure of it.
AT_LEAST = _words(
    """
    (?<!no_)(?<!not_)more_than at_least over above exceed* upwards_of beyond well_past no_less_than not_less_than
    (?<!nicht_)mehr_als mindestens wenigstens über oberhalb_von gut
    """,
    then=rf" {CITED}",
)
AT_MOST = _words(
    """
    (?<!no_)(?<!not_)less_than fewer_than at_most up_to under below no_more_than not_more_than nearly almost
    just_short_of shy_of
    (?<!nicht_)weniger_als höchstens maximal bis_zu unter unterhalb_von nicht_mehr_als fast beinahe knapp annähernd
    """,
    then=rf" {CITED}",
)
MOST_OF = {
    "en": _words("most_of mostly(?!_off) mainly predominantly largely bulk_of lion's_share for_the_most_part"),
    "de": _words("größtenteils überwiegend* hauptsächlich vorwiegend großteil* der_meiste die_meisten? das_meiste"),
}
LARGEST = {
    "en": _words("""
        largest biggest highest greatest heaviest hungriest longest busiest strongest top main dominant dominat*
        maximum most(?<!at_most)(?!_of|_likely|_recent) primary chief number-one foremost outrank* first_place
    """),
    "de": _words("""
        größte* höchste(?!ns)* stärkste* längste* am_meisten meiste häufigste* haupt* spitzenreiter* dominier*
        führend* maximum maximale* oberste*
    """),
}
SMALLEST = {
    "en": _words("""
        smallest lowest least(?<!at_least) fewest shortest quietest weakest cheapest minimum minimal lightest
        bottom
    """),
    "de": _words("""
        kleinste* niedrigste* geringste* wenigste* kürzeste* ruhigste* schwächste* günstigste* minimum minimal*
    """),
}
RISEN = {
    "en": _words("""
        rise rises risen rising rose increas* grew grow* climb* jump* surg* soar* escalat* upward* uptick
        went_up gone_up worsen* spik* (?:more|higher|larger|greater|bigger|heavier|longer)_than(?!_◆)
    """),
    "de": _words("""
        steig* stieg* gestiegen* anstieg* zunahm* zunehm* zugenommen nahm_zu gewachsen wuchs* wächst wachsend*
        (?:mehr|höher|größer|länger|stärker)_als(?!_◆)
    """),
}
FALLEN = {
    "en": _words("""
        fell fallen falling declin* decreas* dropp* shrink* shrank shrunk downward* went_down gone_down sank
        sunk (?:less|fewer|lower|smaller|shorter|lighter)_than(?!_◆)
    """),
    "de": _words("""
        sink* sank* gesunken* fiel(?:en)? gefallen* rückgang* rückläufig* abnahm* abnehm* abgenommen nahm_ab
        verringert* (?:weniger|niedriger|geringer|kleiner|kürzer)_als(?!_◆)
    """),
}
SAME = {
    "en": _words("unchanged stable stayed_the_same remained_the_same as_much_as level_with"),
    "de": _words("unverändert* stabil* gleich_?geblieben so_viel_wie"),
}
# Where nothing is advised, "higher" without "than" compares as well.
HIGHER = {
    "en": _words("higher heavier larger greater bigger stronger above_average"),
    "de": _words("höher* größer* stärker* überdurchschnittlich*"),
}
LOWER = {
    "en": _words("lower lighter smaller weaker below_average"),
    "de": _words("niedriger* geringer* kleiner* schwächer* unterdurchschnittlich*"),
}
CHANGE = {
    "en": _words("*trend* developments? compared_to compared_with"),
    "de": _words("*trend* entwicklung* verglichen_mit im_vergleich"),
}
MORE_THAN_NAMED = _words(
    "more larger bigger higher greater heavier mehr größer höher stärker", then=rf"\b[^{CITED}]*\b(?:than|als) {CITED}"
)
LESS_THAN_NAMED = _words(
    "less fewer smaller lower lighter weniger kleiner niedriger geringer", then=rf"\b[^{CITED}]*\b(?:than|als) {CITED}"
)
HEDGED = _words("""
    may might could can up_to at_most no_more_than would potential* possibl* estimat* kann können könnten? dürften?
    bis_zu höchstens nicht_mehr_als möglich* geschätzt*
""")
# Words that no sentence of the one language is without, and that the other does not have.
COMMON_WORDS = {
    "en": _words("the of and is it to this that with for from are used by on"),
    "de": _words("der das dem den und ist von zu mit für ein eine einen es am im wird werden auf sich"),
}
LINK = re.compile(
    r"//|\bwww\b|\bhttps?\b|\b(?:mailto|javascript|data|file):|\w\.(?:com|org|net|io|de|info|uk|eu)\b", re.IGNORECASE
)
# Where a text goes on about what it named before.
PRONOUN = re.compile(r"^\W*(?:it|its|this|that|they|er|sie|es|sein\w*|ihr\w*|dies\w*|das gerät)\b")
# A home's figure beside an appliance's name: "A1.kwh of site.total_kwh".
OF_WHAT = re.compile(r"\b(?:of|out of|of the home's|von|von insgesamt|aus) $")


@dataclass(frozen=True)
class Claim:
    """Words that say what a figure is, and the facts that are it, by the beginning of their ids.

    A sentence with the words and a figure has to cite such a fact. A sentence with a figure of `facts_need_words` has
    to
    have the words.
    """

    name: str
    words: dict[str, re.Pattern[str]]
    facts: re.Pattern[str]
    facts_need_words: re.Pattern[str] | None = None
    or_said_by: re.Pattern[str] | None = None


SAVING = Claim(
    "a saving",
    {"en": _words("save saves saved savings?"), "de": _words("*spar(?:en|t|te|ten|nis*|potenzial*)? gespart")},
    re.compile(r"save\.|R\d+\.(?:save|site_share|own_share|shift)|.*(?:saving|save_)"),
    re.compile(r"save\.(?!cap)|R\d+\.(?:save|site_share|own_share)_"),
)
CLAIMS = (
    SAVING,
    Claim(
        "money",
        {
            "en": _words("cost* price* bills? billed pays? paid spend* spent money charged? tariffs?"),
            "de": _words("*kosten kostet* *preis* *rechnung* bezahl* zahl(?:t|te|ten) geld *tarif*"),
        },
        re.compile(r".*(?:cost|price|money|tariff|charge|bill|export|plan|spend|paid)"),
    ),
    Claim(
        "carbon",
        {
            "en": _words("co carbon emissions? emit* greenhouse"),
            "de": _words("co kohlen* emission* treibhaus*"),
        },
        re.compile(r".*(?:co2|carbon|emission)"),
    ),
    Claim(
        "what is always on",
        {
            "en": _words("always[- ]on stand-?by base_?load around_the_clock"),
            "de": _words("*stand-?by* grundlast* dauernd* immer_an immer_eingeschaltet rund_um_die_uhr"),
        },
        re.compile(r".*base"),
    ),
    Claim(
        "weekends or workdays",
        {
            "en": _words("weekends? workdays? weekdays? saturdays? sundays?"),
            "de": _words("wochenend* werktag* wochentag* samstag* sonntag*"),
        },
        re.compile(r"week\.|.*(?:weekend|workday)"),
    ),
    Claim(
        "unusual hours",
        {
            "en": _words("unusual* anomal* abnormal* outliers?"),
            "de": _words("ungewöhnlich* auffällig* anomal* ausreißer*"),
        },
        re.compile(r"AN|.*(?:anomal|unusual|event|skipped)"),
    ),
    Claim(
        "a year",
        {
            "en": _words("(?:a|per|each|every)_year yearly annual*"),
            "de": _words("im_jahr pro_jahr je_jahr jährlich*"),
        },
        re.compile(r".*(?:year|annual)"),
        re.compile(r".*year_"),
    ),
    Claim(
        "a month",
        {
            "en": _words("(?:a|per|each|every)_month monthly"),
            "de": _words("im_monat pro_monat je_monat monatlich*"),
        },
        re.compile(r".*month"),
    ),
    Claim(
        "a week",
        {
            "en": _words("(?:a|per|each|every)_week weekly"),
            "de": _words("in_der_woche pro_woche je_woche wöchentlich*"),
        },
        re.compile(r".*week|trend\."),
    ),
    Claim(
        "a day",
        {
            "en": _words("(?:a|per|each|every|an_average)_day daily"),
            "de": _words("am_tag pro_tag je_tag täglich*"),
        },
        re.compile(r".*(?:day|peak_|base_)|F\.|week\."),
    ),
    Claim(
        "the days ahead",
        {
            "en": _words("will forecast* expect* predict* tomorrow coming upcoming ahead next"),
            "de": _words("vorhersage* prognos* erwart* vorausgesagt voraussichtlich* morgen kommend* nächst*"),
        },
        re.compile(r"F\.|.*(?:forecast|ahead)"),
        re.compile(r"F\.total"),
        # The future tense, but also the passive voice.
        or_said_by=_words("wird werden"),
    ),
)
