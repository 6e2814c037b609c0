-- A role and a database of its own for the store of messages and labels and for MLflow. Run once, by the superuser.
CREATE ROLE autoretrain LOGIN;
CREATE DATABASE autoretrain OWNER autoretrain;
CREATE ROLE mlflow LOGIN;
CREATE DATABASE mlflow OWNER mlflow;
