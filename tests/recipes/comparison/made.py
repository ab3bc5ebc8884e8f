"""Made results of a comparison: no training was run for them."""

import dataclasses

from recipes.comparison import stored, subjects
from recipes.comparison.plan import plan

SENTIMENT = subjects.subject("sentiment", quick=False)
ADDING = subjects.subject("adding", quick=False)
CELLS = subjects.CELLS


def record(each, cell, rate, seed, value, steps=0, latency=None, cpu=2.0, quick=False):
    """A finished cell: three epochs, the second one the best."""
    history = [
        {"validation": value - lack, "seconds": 2 * cpu, "cpu_seconds": cpu}
        for lack in (0.2, 0.01, 0.05)
    ]
    gate = {"updates": 0, "z_low": 0.1, "z_high": 0.0, "r_low": 0, "r_high": 0, "z_stuck_units": 0}
    return {
        "quick": quick,
        "subject": each.name,
        "cell": cell,
        "steps": steps,
        "learning_rate": rate,
        "seed": seed,
        "settings": {"parameters": each.parameters, **each.flags},
        "metric": {"name": "accuracy", "value": value, "split": "test"},
        "watched": "accuracy",
        "validation": value - 0.01,
        "loss": 0.1,
        "parameters": each.parameters,
        "stopped": "updates",
        "history": history,
        "usage": {
            "wall_seconds": 60.0,
            "cpu_seconds": 3 * cpu,
            "cpu_share": 0.5,
            "peak_memory_mb": 700,
            "resumed": False,
        },
        "device": latency and {"bytes": 45_678, "latency_ms": latency, "steps": steps},
        "gates": [gate, {**gate, "updates": 100, "z_low": 0.3}] if cell == "gru" else None,
        "made": {"command": "", "date": "", "cores": 2, "machine": "x", "versions": {}},
    }


def finish(jobs, value_of, latency_of=lambda job: None, cpu_of=lambda job: 2.0):
    """Results of all jobs whose learning rate is known."""
    return {
        job.key: record(
            job.subject,
            *(job.cell, job.learning_rate, job.seed, value_of(job), job.steps),
            latency=latency_of(job) if job.device else None,
            cpu=cpu_of(job),
        )
        for job in jobs
        if job.learning_rate is not None
    }


def whole(each, value_of, **options):
    """Results of every job of one subject, three seeds."""
    results = finish(plan([each], CELLS, 3, {}), value_of, **options)
    return finish(plan([each], CELLS, 3, results), value_of, **options)


def accuracy(job, **means):
    """A mean for each cell, an odd learning rate best, and a spread of a point over the seeds."""
    return means[job.cell] + (0.01, 0.0, -0.01)[job.seed] - 0.03 * (job.learning_rate != 3e-3)


def put(folder, results):
    for key, each in results.items():
        stored.keep(folder, key, each)


def tiny(**flags):
    flags = {"updates": 4, "every": 2, "patience": 2, "cpu_seconds": 60.0, "held_out": 16, **flags}
    return dataclasses.replace(
        ADDING, lengths=(6, 9), parameters=776, flags=flags, rates=(1e-3, 1e-2)
    )
