module ray-serve-llm/tools/pause

go 1.24.0
