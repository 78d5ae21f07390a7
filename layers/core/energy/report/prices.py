"""What an answer of a model cost, by the prices in model_prices.json."""

import datetime as dt
import functools
from pathlib import Path

from energy.report.facts import Part

PRICES_FILE = Path(__file__).with_name("model_prices.json")
_GLOBAL = "global"
_TOKENS = 1_000_000


class Price(Part):
    """US dollars per million tokens, without cached ones; where that is written, and when it was read there."""

    provider: str
    model: str
    input_usd: float
    output_usd: float
    source: str
    read: dt.date


class PriceList(Part):
    """model_prices.json. Profiles of Bedrock other than global ones cost `regional_premium` more."""

    note: str
    regional_premium: float
    prices: list[Price]


@functools.cache
def price_list() -> PriceList:
    """The prices of the product."""
    return PriceList.model_validate_json(PRICES_FILE.read_bytes())


def cost_usd(provider: str, model: str, input_tokens: int | None, output_tokens: int | None) -> float | None:
    """What these tokens cost; None where the model's price, or how many they were, is not known."""
    geography, _, base = model.partition(".") if provider == "bedrock" else (_GLOBAL, "", model)
    price = next((one for one in price_list().prices if (one.provider, one.model) == (provider, base)), None)
    if price is None or input_tokens is None or output_tokens is None:
        return None
    premium = 1 if geography == _GLOBAL else 1 + price_list().regional_premium
    return round(premium * (input_tokens * price.input_usd + output_tokens * price.output_usd) / _TOKENS, 6)
