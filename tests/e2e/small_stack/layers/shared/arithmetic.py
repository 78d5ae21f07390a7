def doubled(number: int) -> int:
    return number * 2
