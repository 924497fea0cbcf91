"""ONNX: conversion of graphs of dense layers from and to networks."""
