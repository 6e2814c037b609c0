-- A role and a database of its own for MLflow and for the store of messages and labels. Run once, by the superuser.
\getenv mlflow_password MLFLOW_PASSWORD
\getenv store_password STORE_PASSWORD
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow_password';
CREATE DATABASE mlflow OWNER mlflow;
REVOKE CONNECT ON DATABASE mlflow FROM PUBLIC;
CREATE ROLE autoretrain LOGIN PASSWORD :'store_password';
CREATE DATABASE autoretrain OWNER autoretrain;
REVOKE CONNECT ON DATABASE autoretrain FROM PUBLIC;
