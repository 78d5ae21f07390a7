import os

from arithmetic import doubled

calls = [0]


def handler(event: dict, context: object) -> dict:
    calls[0] += 1
    print(f"doubling {event['number']}")
    return {
        "number": doubled(event["number"]),
        "calls": calls[0],
        "greeting": os.environ["GREETING"],
        "remaining_ms": context.get_remaining_time_in_millis(),
        "function": context.function_name,
        "memory": context.memory_limit_in_mb,
    }
