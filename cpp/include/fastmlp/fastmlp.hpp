/// fastmlp: dense neural networks on a CPU. Include this one header.
#pragma once

#include "fastmlp/archive.hpp"
#include "fastmlp/buffer.hpp"
#include "fastmlp/executor.hpp"
#include "fastmlp/isa.hpp"
#include "fastmlp/layer.hpp"
#include "fastmlp/layout.hpp"
#include "fastmlp/matrix.hpp"
#include "fastmlp/network.hpp"
#include "fastmlp/optimizer.hpp"
#include "fastmlp/predictor.hpp"
#include "fastmlp/random.hpp"
#include "fastmlp/schedule.hpp"
#include "fastmlp/serialize.hpp"
#include "fastmlp/threads.hpp"
#include "fastmlp/trainer.hpp"
