"""The plan of the simulated study whose report several modules look at."""

PLAN = {
    "schema": 2,
    "study_id": "0123",
    "name": "A <small> study",
    "description": "Two encoders & three arms.",
    "smallest_effect": 0.03,
    "contamination": [
        {"source": "sst2/train", "rows": 100, "dropped": 7},
        {"source": "sick/train", "rows": 100, "dropped": 0},
        {
            "source": "claims/train",
            "rows": 100,
            "dropped": 0,
            "rule": "off",
            "whole_inputs": 8,
            "fields": {"claim": 9, "evidence": 60},
        },
    ],
    "skipped": ["diacritics: has no table for 'zh'"],
    "contaminated": ["bert-made-here"],
    "stages_done": [
        {
            "encoder": "bert",
            "kind": "target",
            "arms": ["itt"],
            "seed": 1,
            "steps": 200,
            "tokens": 12000,
            "flops": 3e12,
            "wall_seconds": 12.0,
            "diverged": True,
            "device": "cpu",
            "versions": {"jax": "0.10.2"},
        },
        {"id": "abc"},
    ],
}
