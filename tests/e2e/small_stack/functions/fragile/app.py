import os
import signal
import subprocess
import sys
import time

import boto3


class InputRejected(Exception):
    pass


def handler(event: dict, context: object) -> dict:
    match event.get("do"):
        case "reject":
            raise InputRejected('NOT_CSV: "a" is no\nnumber \\ here')
        case "sleep":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            print(f"child {child.pid}")
            time.sleep(600)
        case "exit":
            os._exit(3)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "import":
            __import__(event["module"])
            return {"imported": event["module"]}
        case "buckets":
            return {"buckets": [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]}
    return {"pid": os.getpid()}
