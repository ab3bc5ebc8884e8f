// Stands in for TensorFlow Lite Micro's header of that name: declared as there, answered by TFLM
// for Python at the other end of standard input and output (test_sketch.py).
#pragma once
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

struct TfLiteTensor {
  union {
    float* f;
    int8_t* int8;
  } data;
};

namespace tflite {

struct Model {
  const void* content;
};

inline const Model* GetModel(const void* content) {
  static Model model;
  model.content = content;
  return &model;
}

class MicroInterpreter {
 public:
  MicroInterpreter(const Model* model, const MicroOpResolver& ops, uint8_t* arena, size_t size) {
    std::cout << "made " << model->content << " " << ops.places << " " << size;
    std::cout << " " << reinterpret_cast<uintptr_t>(arena) % 16;
    for (const std::string& name : ops.names) std::cout << " " << name;
    std::cout << std::endl;
  }

  TfLiteStatus AllocateTensors() {
    Read(inputs_, in_);
    Read(outputs_, out_);
    return kTfLiteOk;
  }

  TfLiteStatus Invoke() {
    std::cout << "run";
    for (std::vector<float>& values : inputs_) {
      for (float& value : values) {
        std::cout << " " << std::hexfloat << value;
        value = 1e30f;  // TFLM uses this memory again.
      }
    }
    std::cout << std::endl;
    Read(outputs_, out_);
    return kTfLiteOk;
  }

  TfLiteTensor* input(size_t index) { return &in_.at(index); }
  TfLiteTensor* output(size_t index) { return &out_.at(index); }

 private:
  // A line for each tensor, with its numbers.
  static void Read(std::vector<std::vector<float>>& values, std::vector<TfLiteTensor>& tensors) {
    std::string line, number;
    std::getline(std::cin, line);
    const size_t count = std::stoul(line);
    values.assign(count, {});
    tensors.resize(count);
    for (size_t place = 0; place < count; ++place) {
      std::getline(std::cin, line);
      std::istringstream words(line);
      while (words >> number) values[place].push_back(std::strtof(number.c_str(), nullptr));
      tensors[place].data.f = values[place].data();
    }
  }

  std::vector<std::vector<float>> inputs_, outputs_;
  std::vector<TfLiteTensor> in_, out_;
};

}  // namespace tflite
