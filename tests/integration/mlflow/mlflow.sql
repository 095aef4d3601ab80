CREATE TABLE "runs" (
	run_uuid VARCHAR(32) NOT NULL, 
	name VARCHAR(250), 
	source_type VARCHAR(20), 
	source_name VARCHAR(500), 
	entry_point_name VARCHAR(50), 
	user_id VARCHAR(256), 
	status VARCHAR(9), 
	start_time BIGINT, 
	end_time BIGINT, 
	source_version VARCHAR(50), 
	lifecycle_stage VARCHAR(20), 
	artifact_uri VARCHAR(200), 
	experiment_id INTEGER, deleted_time BIGINT, 
	CONSTRAINT run_pk PRIMARY KEY (run_uuid), 
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED'))
);
CREATE TABLE "latest_metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT, 
	step BIGINT NOT NULL, 
	is_nan BOOLEAN NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT latest_metric_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
CREATE TABLE "params" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000) NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
CREATE TABLE "tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT tag_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
CREATE TABLE logged_models (
	model_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	artifact_location VARCHAR(1000) NOT NULL, 
	creation_timestamp_ms BIGINT NOT NULL, 
	last_updated_timestamp_ms BIGINT NOT NULL, 
	status INTEGER NOT NULL, 
	lifecycle_stage VARCHAR(32), 
	model_type VARCHAR(500), 
	source_run_id VARCHAR(32), 
	status_message VARCHAR(1000), 
	CONSTRAINT logged_models_pk PRIMARY KEY (model_id), 
	CONSTRAINT logged_models_lifecycle_stage_check CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT fk_logged_models_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
CREATE TABLE logged_model_metrics (
	model_id VARCHAR(36) NOT NULL, 
	metric_name VARCHAR(500) NOT NULL, 
	metric_timestamp_ms BIGINT NOT NULL, 
	metric_step BIGINT NOT NULL, 
	metric_value FLOAT, 
	experiment_id INTEGER NOT NULL, 
	run_id VARCHAR(32) NOT NULL, 
	dataset_uuid VARCHAR(36), 
	dataset_name VARCHAR(500), 
	dataset_digest VARCHAR(36), 
	CONSTRAINT logged_model_metrics_pk PRIMARY KEY (model_id, metric_name, metric_timestamp_ms, metric_step, run_id), 
	CONSTRAINT fk_logged_model_metrics_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CONSTRAINT fk_logged_model_metrics_model_id FOREIGN KEY(model_id) REFERENCES logged_models (model_id) ON DELETE CASCADE, 
	CONSTRAINT fk_logged_model_metrics_run_id FOREIGN KEY(run_id) REFERENCES runs (run_uuid) ON DELETE CASCADE
);
CREATE TABLE logged_model_params (
	model_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	param_key VARCHAR(255) NOT NULL, 
	param_value TEXT NOT NULL, 
	CONSTRAINT logged_model_params_pk PRIMARY KEY (model_id, param_key), 
	CONSTRAINT fk_logged_model_params_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CONSTRAINT fk_logged_model_params_model_id FOREIGN KEY(model_id) REFERENCES logged_models (model_id) ON DELETE CASCADE
);
CREATE TABLE "experiments" (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), 
	creation_time BIGINT, 
	last_update_time BIGINT, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT uq_experiments_workspace_name UNIQUE (workspace, name)
);
CREATE TABLE "registered_models" (
	name VARCHAR(256) NOT NULL, 
	creation_time BIGINT, 
	last_updated_time BIGINT, 
	description VARCHAR(5000), 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT registered_model_pk PRIMARY KEY (workspace, name)
);
CREATE TABLE "model_versions" (
	name VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	creation_time BIGINT, 
	last_updated_time BIGINT, 
	description VARCHAR(5000), 
	user_id VARCHAR(256), 
	current_stage VARCHAR(20), 
	source VARCHAR(500), 
	run_id VARCHAR(32), 
	status VARCHAR(20), 
	status_message VARCHAR(500), 
	run_link VARCHAR(500), 
	storage_location VARCHAR(500), 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT model_version_pk PRIMARY KEY (workspace, name, version), 
	CONSTRAINT fk_model_versions_registered_models FOREIGN KEY(workspace, name) REFERENCES registered_models (workspace, name) ON UPDATE CASCADE
);
CREATE TABLE "registered_model_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	name VARCHAR(256) NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT registered_model_tag_pk PRIMARY KEY (workspace, "key", name), 
	CONSTRAINT fk_registered_model_tags_registered_models FOREIGN KEY(workspace, name) REFERENCES registered_models (workspace, name) ON UPDATE CASCADE
);
CREATE TABLE "model_version_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value TEXT, 
	name VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT model_version_tag_pk PRIMARY KEY (workspace, "key", name, version), 
	CONSTRAINT fk_model_version_tags_model_versions FOREIGN KEY(workspace, name, version) REFERENCES model_versions (workspace, name, version) ON UPDATE CASCADE
);
CREATE TABLE "registered_model_aliases" (
	alias VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT registered_model_alias_pk PRIMARY KEY (workspace, name, alias), 
	CONSTRAINT fk_registered_model_aliases_registered_models FOREIGN KEY(workspace, name) REFERENCES registered_models (workspace, name) ON DELETE CASCADE ON UPDATE CASCADE
);
INSERT INTO experiments VALUES (0,'Default','/tmp/imp/m2/mlruns/0','active',1795323920054,1795323920054,'default');
INSERT INTO experiments VALUES (1,'e1','/tmp/imp/m2/mlruns/1','active',1795323920056,1795323920056,'default');
INSERT INTO latest_metrics VALUES ('accuracy',0.81,1795323920098,1,0,'9054f968242a44c2b33ad7c1995a557f');
INSERT INTO latest_metrics VALUES ('loss',0.0,1795323920102,0,1,'9054f968242a44c2b33ad7c1995a557f');
INSERT INTO latest_metrics VALUES ('accuracy',0.8200000000000001,1795323920130,1,0,'5d9f5eaabc3f4a7b9a784741bf74ad24');
INSERT INTO latest_metrics VALUES ('loss',0.0,1795323920132,0,1,'5d9f5eaabc3f4a7b9a784741bf74ad24');
INSERT INTO latest_metrics VALUES ('accuracy',0.8300000000000001,1795323920153,1,0,'21a5b80c286445a58cec254c4eb0ac97');
INSERT INTO latest_metrics VALUES ('loss',0.0,1795323920156,0,1,'21a5b80c286445a58cec254c4eb0ac97');
INSERT INTO model_version_tags VALUES ('quality','good','churn model',1,'default');
INSERT INTO model_version_tags VALUES ('quality','good','churn model',2,'default');
INSERT INTO model_version_tags VALUES ('quality','good','churn model',3,'default');
INSERT INTO model_version_tags VALUES ('mlflow.prompt.is_prompt','true','greet',1,'default');
INSERT INTO model_version_tags VALUES ('_mlflow_prompt_type','text','greet',1,'default');
INSERT INTO model_version_tags VALUES ('mlflow.prompt.text','hello {{x}}','greet',1,'default');
INSERT INTO model_versions VALUES ('churn model',1,1795323920115,1795323920193,'try 1',NULL,'Production','/tmp/imp/m2/mlruns/1/9054f968242a44c2b33ad7c1995a557f/artifacts/model','9054f968242a44c2b33ad7c1995a557f','READY',NULL,NULL,'/tmp/imp/m2/mlruns/1/9054f968242a44c2b33ad7c1995a557f/artifacts/model','default');
INSERT INTO model_versions VALUES ('churn model',2,1795323920142,1795323920176,NULL,NULL,'Deleted_Internal','REDACTED-SOURCE-PATH','REDACTED-RUN-ID','READY',NULL,'REDACTED-RUN-LINK','/tmp/imp/m2/mlruns/1/5d9f5eaabc3f4a7b9a784741bf74ad24/artifacts/model','default');
INSERT INTO model_versions VALUES ('churn model',3,1795323920165,1795323920165,'try 3',NULL,'None','/tmp/imp/m2/mlruns/1/21a5b80c286445a58cec254c4eb0ac97/artifacts/model','21a5b80c286445a58cec254c4eb0ac97','READY',NULL,NULL,'/tmp/imp/m2/mlruns/1/21a5b80c286445a58cec254c4eb0ac97/artifacts/model','default');
INSERT INTO model_versions VALUES ('greet',1,1795323920205,1795323920205,NULL,NULL,'None','dummy-source',NULL,'READY',NULL,NULL,'dummy-source','default');
INSERT INTO params VALUES ('C','0.1','9054f968242a44c2b33ad7c1995a557f');
INSERT INTO params VALUES ('solver','lbfgs','9054f968242a44c2b33ad7c1995a557f');
INSERT INTO params VALUES ('C','0.2','5d9f5eaabc3f4a7b9a784741bf74ad24');
INSERT INTO params VALUES ('solver','lbfgs','5d9f5eaabc3f4a7b9a784741bf74ad24');
INSERT INTO params VALUES ('C','0.30000000000000004','21a5b80c286445a58cec254c4eb0ac97');
INSERT INTO params VALUES ('solver','lbfgs','21a5b80c286445a58cec254c4eb0ac97');
INSERT INTO registered_model_aliases VALUES ('champion',3,'churn model','default');
INSERT INTO registered_model_aliases VALUES ('1234567',1,'churn model','default');
INSERT INTO registered_model_tags VALUES ('team','risk','churn model','default');
INSERT INTO registered_model_tags VALUES ('a b','c','churn model','default');
INSERT INTO registered_model_tags VALUES ('mlflow.prompt.is_prompt','true','greet','default');
INSERT INTO registered_model_tags VALUES ('_mlflow_experiment_ids',',0,','greet','default');
INSERT INTO registered_models VALUES ('churn model',1795323920074,1795323920193,'Who leaves us.','default');
INSERT INTO registered_models VALUES ('greet',1795323920202,1795323920205,NULL,'default');
INSERT INTO runs VALUES ('9054f968242a44c2b33ad7c1995a557f','casual-perch-714','UNKNOWN','','','unknown','RUNNING',1795323920080,NULL,'','active','/tmp/imp/m2/mlruns/1/9054f968242a44c2b33ad7c1995a557f/artifacts',1,NULL);
INSERT INTO runs VALUES ('5d9f5eaabc3f4a7b9a784741bf74ad24','marvelous-shark-161','UNKNOWN','','','unknown','RUNNING',1795323920121,NULL,'','active','/tmp/imp/m2/mlruns/1/5d9f5eaabc3f4a7b9a784741bf74ad24/artifacts',1,NULL);
INSERT INTO runs VALUES ('21a5b80c286445a58cec254c4eb0ac97','crawling-swan-462','UNKNOWN','','','unknown','RUNNING',1795323920145,NULL,'','active','/tmp/imp/m2/mlruns/1/21a5b80c286445a58cec254c4eb0ac97/artifacts',1,NULL);
INSERT INTO tags VALUES ('mlflow.runName','casual-perch-714','9054f968242a44c2b33ad7c1995a557f');
INSERT INTO tags VALUES ('mlflow.runName','marvelous-shark-161','5d9f5eaabc3f4a7b9a784741bf74ad24');
INSERT INTO tags VALUES ('mlflow.runName','crawling-swan-462','21a5b80c286445a58cec254c4eb0ac97');
