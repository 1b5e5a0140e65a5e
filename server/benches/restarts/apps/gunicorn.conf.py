"""gunicorn with kept connections: a thread for each client."""
from app import note

worker_class = "gthread"
threads = 32
loglevel = "critical"


def post_worker_init(worker):
    note(f"ready {worker.pid}")
