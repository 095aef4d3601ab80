import sys, os, pathlib, mlflow
from mlflow import MlflowClient
uri, root = sys.argv[1], pathlib.Path(sys.argv[2])
mlflow.set_tracking_uri(uri); mlflow.set_registry_uri(uri)
c = MlflowClient(uri, uri)
exp = c.create_experiment("e1")
c.create_registered_model("churn model", tags={"team": "risk", "a b": "c"}, description="Who leaves us.")
for i in range(1, 4):
    run = c.create_run(exp)
    r = run.info.run_id
    c.log_param(r, "C", 0.1 * i); c.log_param(r, "solver", "lbfgs")
    c.log_metric(r, "accuracy", 0.8 + i / 100, step=1); c.log_metric(r, "loss", float("nan"))
    p = root / "tmp"; p.mkdir(exist_ok=True); (p / "MLmodel").write_text(f"flavors: {{}}\nrun_id: {r}\n"); (p / "model.pkl").write_bytes(bytes(range(256)) * 200 + bytes([i]))
    c.log_artifacts(r, str(p), "model")
    src = f"{c.get_run(r).info.artifact_uri}/model"
    c.create_model_version("churn model", src, r, tags={"quality": "good"}, description=f"try {i}")
c.delete_model_version("churn model", "2")
c.set_registered_model_alias("churn model", "champion", "3")
c.set_registered_model_alias("churn model", "1234567", "1")
try: c.transition_model_version_stage("churn model", "1", "Production")
except Exception as e: print("stage", e)
try: 
    from mlflow import register_prompt
    mlflow.register_prompt("greet", "hello {{x}}")
except Exception as e: print("prompt", e)
