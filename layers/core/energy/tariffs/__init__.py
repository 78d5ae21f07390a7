"""What electricity costs: plans as people are offered them, the price of every moment, and the bill of a month.

Money is Decimal and currencies are ISO 4217. Nothing here needs a library: functions with rows and functions without
use the same plans.
"""
