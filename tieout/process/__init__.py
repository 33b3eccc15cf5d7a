"""Process models: drawings in and out (BPMN 2.0, Visio), and what is wrong with a process before data says so."""
