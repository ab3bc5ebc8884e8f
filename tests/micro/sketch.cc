// README's sketch, and what feeds it: a line of 40 features a step, answered by 12 probabilities.
#include "readme.h"

#include <iostream>
#include <sstream>
#include <string>

int main() {
  for (std::string line; std::getline(std::cin, line) && !line.empty();) {
    float features[40], probabilities[12];
    std::istringstream words(line);
    for (float& feature : features) {
      std::string number;
      words >> number;
      feature = std::strtof(number.c_str(), nullptr);
    }
    Step(features, probabilities);
    std::cout << "answer";
    for (float probability : probabilities) std::cout << " " << std::hexfloat << probability;
    std::cout << std::endl;
  }
}
