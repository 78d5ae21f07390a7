"""State "Aggregate readings": what a site's readings cost, by the tariff of its configuration."""

import datetime as dt
import json

import pytest

from energy import lake, monthly_costs, parquet, store
from energy.documents import CostsSummary
from energy.errors import SiteConfigInvalid
from energy.manifest import Manifest
from energy.schema import BILLS, COSTS

FLAT = "tariff: {currency: EUR, price: 0.5, standing_per_day: 1}\nco2: {country: FR}\n"
NIGHT = """
tariff:
  currency: EUR
  name: Night
  bands: [{name: night, hours: "00:00-06:00", price: 0.1}, {name: day, price: 0.4}]
plans: {Flat: {price: 0.3}}
"""


def day(date, kwh=1.0):
    rows = (f"{date} {hour:02d}:00,oven,{kwh}\n" for hour in range(24))
    return "timestamp,appliance,kwh\n" + "".join(rows)


@pytest.fixture
def configure(lake_on_moto):
    return lambda text, name="home.yaml": lake_on_moto.put_object(
        Bucket="lake", Key=f"config/{name}", Body=text.encode()
    )


def table(publication, which):
    draft = draft_of(publication)
    (partition,) = draft.tables[which.name]
    return parquet.from_bytes(store.read(partition.prefix + which.file_name))


def draft_of(publication):
    return Manifest.model_validate_json(store.read(publication["draft_key"]))


def commit(publication):
    content = store.read(publication["draft_key"])
    store.swap(lake.manifest_key(publication["site"]), content, publication["base_etag"])


def test_without_a_tariff_there_is_no_money(validated, aggregate):
    publication = aggregate(validated(day("2024-03-01")))
    assert publication["costs_key"] == ""
    assert not {COSTS.name, BILLS.name} & set(draft_of(publication).tables)


def test_a_tariff_makes_costs_bills_and_a_summary(validated, aggregate, configure):
    configure(FLAT)
    publication = aggregate(validated(day("2024-03-01")))
    assert table(publication, COSTS).rows() == [(dt.date(2024, 3, 1), "oven", 24.0, 12.0, "EUR", pytest.approx(0.984))]
    assert table(publication, BILLS).select(
        "month", "plan", "days", "energy_cost", "standing_cost", "total_cost"
    ).rows() == [("2024-03", "current plan", 1, 12.0, 1.0, 13.0)]
    summary = CostsSummary.model_validate_json(store.read(publication["costs_key"]))
    assert (summary.currency, summary.decimals, float(summary.plans[0].total.total_cost)) == ("EUR", 2, 13.0)
    assert summary.carbon.kg == pytest.approx(24 * 0.041)


def test_a_second_upload_prices_its_month_only(validated, aggregate, configure, monkeypatch):
    configure(FLAT)
    commit(aggregate(validated(day("2024-03-01"))))
    made = []
    part = monthly_costs.part
    monkeypatch.setattr(monthly_costs, "part", lambda rows, month, by: made.append(month) or part(rows, month, by))
    publication = aggregate(validated(day("2024-04-01", 2.0), key="raw/b.csv"))
    assert made == ["2024-04"]
    assert table(publication, COSTS)["energy_cost"].to_list() == [12.0, 24.0]
    # The site was billed from its first day to its last.
    assert table(publication, BILLS)["days"].to_list() == [31, 1]


def test_two_uploads_one_after_the_other_cost_what_both_at_once_do(lake_on_moto, validated, aggregate, configure):
    configure(NIGHT)
    commit(aggregate(validated(day("2024-03-01"))))
    later = aggregate(validated(day("2024-04-01", 2.0), key="raw/b.csv"))
    # The same two files as another site, whose parts are all made at once.
    configure(NIGHT, "cabin.yaml")
    at_once = day("2024-03-01") + day("2024-04-01", 2.0).removeprefix("timestamp,appliance,kwh\n")
    other = aggregate(validated(at_once, key="raw/cabin/a.csv"))
    for which in (COSTS, BILLS):
        assert table(later, which).equals(table(other, which))
    assert store.read(later["costs_key"]) == store.read(other["costs_key"])


def test_another_tariff_prices_every_month_anew(validated, aggregate, configure):
    configure(FLAT)
    first = validated(day("2024-03-01"))
    commit(aggregate(first))
    configure(NIGHT)
    publication = aggregate(first)
    assert publication["already_published"] is False
    # 6 x 0.1 + 18 x 0.4; 24 x 0.3.
    assert table(publication, BILLS).select("plan", "is_current", "total_cost").rows() == [
        ("Night", True, 7.8),
        ("Flat", False, 7.2),
    ]


def test_the_same_readings_and_tariff_are_the_same_bytes_again(validated, aggregate, configure):
    configure(NIGHT)
    output = validated(day("2024-03-01"))
    # Write-once names refuse other bytes.
    assert aggregate(output) == aggregate(output)


def test_prices_by_the_hour_are_those_of_the_file_beside_the_configuration(validated, aggregate, configure):
    configure("tariff: {currency: EUR, prices: {file: hours.csv}}")
    configure("start,value\n" + "".join(f"2024-03-01T{hour:02d}:00,{hour}\n" for hour in range(24)), "hours.csv")
    publication = aggregate(validated(day("2024-03-01")))
    assert table(publication, COSTS)["energy_cost"].to_list() == [float(sum(range(24)))]


def test_a_file_of_prices_that_cannot_be_used_is_refused_with_its_line(validated, aggregate, configure):
    configure("tariff: {currency: EUR, prices: {file: hours.csv}}")
    configure("start,value\n2024-03-01,dear\n", "hours.csv")
    output = validated(day("2024-03-01"))
    with pytest.raises(SiteConfigInvalid, match=r"hours.csv: line 2: 'dear' is no number"):
        aggregate(output)


def test_the_summary_is_a_document_of_its_own(validated, aggregate, configure):
    configure(NIGHT)
    publication = aggregate(validated(day("2024-03-01")))
    document = json.loads(store.read(publication["costs_key"]))
    assert [plan["name"] for plan in document["plans"]] == ["Night", "Flat"]
    assert document["hours"][:7] == pytest.approx([0.1] * 6 + [0.4])
    assert document["depends_on_time"] is True
